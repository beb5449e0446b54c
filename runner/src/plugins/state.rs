//! What one call's store holds: the guest's side of the host.

use std::sync::Arc;

use jiff::Timestamp;
use wasmtime::component::ResourceTable;
use wasmtime_wasi::{WasiCtx, WasiCtxView, WasiView};

use super::blot::Blot;
use super::call::Permission;
use super::limits::{Limits, Memory, Meter};
use super::log::GuestLog;
use super::record::Exchange;
use crate::grants::Grants;
use crate::surroundings::{self, Ask, Refused, Reply, Surroundings};

/// The state of one call.
pub(super) struct Ctx {
    pub(super) table: ResourceTable,
    pub(super) meter: Meter,
    pub(super) memory: Memory,
    pub(super) log: GuestLog,
    /// The plugin's name.
    plugin: Arc<str>,
    pub(super) settings: Arc<str>,
    permission: Permission,
    surroundings: Arc<dyn Surroundings>,
    /// What it has asked, for the record.
    pub(super) asked: Vec<Exchange>,
    /// The secrets that it was shown.
    pub(super) blot: Blot,
    /// The time of the call: one call sees one time.
    pub(super) now: Timestamp,
    /// The empty world of a guest that imports WASI; none for the others, who cannot reach it.
    wasi: Option<WasiCtx>,
    /// Whether the instance was made and its role is being called.
    pub(super) entered: bool,
}

/// What a call is given.
pub(super) struct Given {
    pub(super) plugin: Arc<str>,
    pub(super) log: GuestLog,
    pub(super) settings: Arc<str>,
    pub(super) permission: Permission,
    pub(super) surroundings: Arc<dyn Surroundings>,
    pub(super) blot: Blot,
}

/// Milliseconds since 1970; nothing before that.
pub(super) fn millis(at: Timestamp) -> u64 {
    at.as_millisecond().max(0) as u64
}

impl Ctx {
    pub(super) fn new(limits: &Limits, given: Given, now: Timestamp, wasi: Option<WasiCtx>) -> Self {
        let Given { plugin, log, settings, permission, surroundings, blot } = given;
        let mut table = ResourceTable::new();
        table.set_max_capacity(limits.handles);
        let (meter, memory) = (Meter::new(limits), Memory::new(limits));
        let asked = Vec::new();
        Self {
            table,
            meter,
            memory,
            log,
            plugin,
            settings,
            permission,
            surroundings,
            asked,
            blot,
            now,
            wasi,
            entered: false,
        }
    }

    /// Counts one call into the host.
    pub(super) fn host_call(&mut self) -> wasmtime::Result<()> {
        self.meter.host_calls += 1;
        Ok(())
    }

    /// Asks the surroundings, if the grants permit it: the one way by which a guest gets anything but facts. `taken` is what the
    /// question weighs.
    pub(super) async fn ask(&mut self, ask: Ask, taken: usize) -> wasmtime::Result<Result<Reply, Refused>> {
        self.host_call()?;
        self.meter.question()?;
        self.meter.take(taken)?;
        // Written down before it is answered: a call that ends in between has asked all the same.
        self.asked.push(Exchange::unanswered(&ask));
        let room = self.meter.left();
        let answer = match &self.permission {
            Permission::Granted(grants) => match grants.permit(&ask) {
                Ok(()) => surroundings::within(room, self.surroundings.answer(&self.plugin, grants, &ask)).await,
                Err(refused) => Err(refused),
            },
            Permission::Everything => self.surroundings.answer(&self.plugin, &Grants::default(), &ask).await,
        };
        if let (Ask::Secret { name }, Ok(Reply::Secret(text))) = (&ask, &answer) {
            // Not only when it is revealed: others may say it too, and what they say is written down.
            self.blot.learn(name, text);
        }
        if let Some(last) = self.asked.last_mut() {
            *last = Exchange::new(&ask, &answer);
        }
        Ok(answer)
    }

    /// Counts a text that is handed to the guest.
    pub(super) fn text(&mut self, text: String) -> wasmtime::Result<String> {
        self.meter.give(text.len())?;
        Ok(text)
    }

    /// Counts texts that are handed to the guest.
    pub(super) fn texts(&mut self, texts: Vec<String>) -> wasmtime::Result<Vec<String>> {
        self.meter.give(texts.iter().map(String::len).sum())?;
        Ok(texts)
    }

    /// Counts a text that is handed to the guest, if there is one.
    pub(super) fn optional_text(&mut self, text: Option<String>) -> wasmtime::Result<Option<String>> {
        self.meter.give(text.as_ref().map_or(0, String::len))?;
        Ok(text)
    }

    /// Answers for a fact by name: this runner has none.
    pub(super) fn no_label(&mut self, key: &str) -> wasmtime::Result<Option<String>> {
        self.host_call()?;
        self.meter.take(key.len())?;
        Ok(None)
    }
}

impl WasiView for Ctx {
    fn ctx(&mut self) -> WasiCtxView<'_> {
        let ctx = self.wasi.get_or_insert_with(|| WasiCtx::builder().build());
        WasiCtxView { ctx, table: &mut self.table }
    }
}
