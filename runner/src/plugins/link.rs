//! The linker of one component: what it was granted, and nothing else.

use wasmtime::component::types::ComponentItem;
use wasmtime::component::{Component, HasSelf, InstancePre, Linker, ResourceType};
use wasmtime_wasi::p2::bindings::LinkOptions;

use super::bindings::runner::plugin::{clock, etcd, facts, http, kubernetes, logging, probes, random, secrets, settings};
use super::engine::Engine;
use super::state::Ctx;
use super::surface::{Granted, Interface, Surface};
use crate::grants::Capability;

/// The patch version that this runner implements.
const OURS: &str = "0.1.1";

/// A component that is ready to be instantiated, and the names of what it imports and this runner lacks.
pub(super) struct Linked {
    pub(super) pre: InstancePre<Ctx>,
    pub(super) missing: Vec<String>,
}

/// Stands for a resource of a later release: nothing here makes one, so nothing here drops one.
enum Unknown {}

/// Links a component whose imports were found to be granted.
pub(super) fn link(
    engine: &Engine,
    component: &Component,
    surface: &Surface,
    granted: Granted<'_>,
) -> wasmtime::Result<Linked> {
    let mut linker = Linker::new(engine.wasmtime());
    facts::add_to_linker::<_, HasSelf<Ctx>>(&mut linker, |ctx| ctx)?;
    logging::add_to_linker::<_, HasSelf<Ctx>>(&mut linker, |ctx| ctx)?;
    clock::add_to_linker::<_, HasSelf<Ctx>>(&mut linker, |ctx| ctx)?;
    settings::add_to_linker::<_, HasSelf<Ctx>>(&mut linker, |ctx| ctx)?;
    for capability in Capability::ALL.into_iter().filter(|capability| granted.has(*capability)) {
        add(&mut linker, capability)?;
    }
    if surface.wasi {
        // Also the function that WASI calls unstable: guests of some toolchains import whole interfaces.
        let mut options = LinkOptions::default();
        options.network_error_code(true);
        wasmtime_wasi::p2::add_to_linker_with_options_async(&mut linker, &options)?;
    }
    let missing = fill_missing(&mut linker, engine, component, granted)?;
    Ok(Linked { pre: linker.instantiate_pre(component)?, missing })
}

/// Links one capability.
fn add(linker: &mut Linker<Ctx>, capability: Capability) -> wasmtime::Result<()> {
    match capability {
        Capability::Random => random::add_to_linker::<_, HasSelf<Ctx>>(linker, |ctx| ctx),
        Capability::Http => http::add_to_linker::<_, HasSelf<Ctx>>(linker, |ctx| ctx),
        Capability::Kubernetes => kubernetes::add_to_linker::<_, HasSelf<Ctx>>(linker, |ctx| ctx),
        Capability::Probes => probes::add_to_linker::<_, HasSelf<Ctx>>(linker, |ctx| ctx),
        Capability::Etcd => etcd::add_to_linker::<_, HasSelf<Ctx>>(linker, |ctx| ctx),
        Capability::Secrets => secrets::add_to_linker::<_, HasSelf<Ctx>>(linker, |ctx| ctx),
    }
}

/// Fills what a component of a later patch version imports and this runner does not have, with functions that fail by name. JS
/// and Python guests import whole interfaces, so they would be refused for functions that they never call.
fn fill_missing(
    linker: &mut Linker<Ctx>,
    engine: &Engine,
    component: &Component,
    granted: Granted<'_>,
) -> wasmtime::Result<Vec<String>> {
    let engine = engine.wasmtime();
    let mut missing = Vec::new();
    for (name, import) in component.component_type().imports(engine) {
        let ComponentItem::ComponentInstance(theirs) = import.ty else { continue };
        let Some(interface) = Interface::parse(name).filter(|i| i.granted_by_contract(granted)) else { continue };
        let mut ours = linker.instance(&format!("runner:plugin/{}@{OURS}", interface.name))?;
        for (item, import) in theirs.exports(engine) {
            let full = format!("{name}#{item}");
            // Both fail where the host has that name already, and then there is nothing to fill.
            let filled = match import.ty {
                ComponentItem::ComponentFunc(_) => {
                    let text = format!("this runner has no {full}");
                    ours.func_new(item, move |_, _, _, _| Err(wasmtime::Error::msg(text.clone()))).is_ok()
                }
                ComponentItem::Resource(_) => ours.resource(item, ResourceType::host::<Unknown>(), |_, _| Ok(())).is_ok(),
                _ => false,
            };
            if filled {
                missing.push(full);
            }
        }
    }
    Ok(missing)
}
