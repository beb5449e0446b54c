//! One guarded call: a fresh store and instance, every limit on, and an account of what it used.

use std::panic::AssertUnwindSafe;
use std::sync::Arc;

use futures::future::{BoxFuture, FutureExt};
use jiff::Timestamp;
use tokio::time::{Instant, timeout};
use wasmtime::component::{Instance, InstancePre};
use wasmtime::{Store, UpdateDeadline};

use super::blot::{Blot, Blotted};
use super::cpu::{CpuMeter, Metered};
use super::engine::Engine;
use super::fault;
use super::limits::{Hit, Limits};
use super::log::GuestLog;
use super::record::{CallRecord, Exchange, Identity, Question, Recordable, Recorder};
use super::state::{Ctx, Given};
use super::text::MAX_TEXT;
use super::wasi;
use crate::clock;
use crate::event::{EventSink, Usage};
use crate::grants::Grants;
use crate::pipeline::{Fault, FaultKind};
use crate::surroundings::Surroundings;

/// What is needed to call a plugin, of whatever role.
pub(super) struct Callee {
    pub(super) name: Arc<str>,
    pub(super) engine: Arc<Engine>,
    pub(super) pre: InstancePre<Ctx>,
    pub(super) limits: Limits,
    pub(super) settings: Arc<str>,
    pub(super) permission: Permission,
    pub(super) surroundings: Arc<dyn Surroundings>,
    pub(super) sink: Arc<dyn EventSink>,
    /// The secrets that it may come to know.
    pub(super) blot: Blot,
    /// What it takes for randomness, if it imports WASI: see [`wasi::random`].
    pub(super) wasi_random: Option<Vec<u8>>,
    /// Who it is, for the record.
    pub(super) identity: Arc<Identity>,
    /// Who writes its calls down.
    pub(super) recorder: Option<Arc<dyn Recorder>>,
    /// The time that its calls see; none for that of the call.
    pub(super) now: Option<Timestamp>,
    /// What WASI's clocks show first, see [`wasi::Tape`].
    pub(super) tape: Vec<u64>,
}

/// What a plugin may ask of the world.
#[derive(Clone)]
pub(super) enum Permission {
    /// What these grants permit.
    Granted(Arc<Grants>),
    /// Anything: whoever answers decides.
    Everything,
}

/// A fresh instance, to be called once.
pub(super) struct Guest<'a> {
    pub(super) store: &'a mut Store<Ctx>,
    pub(super) instance: &'a Instance,
    pub(super) limits: &'a Limits,
}

/// What a call came to, and what it used.
pub(super) struct Called<T> {
    pub(super) result: Result<T, Fault>,
    pub(super) usage: Usage,
    pub(super) trace: Trace,
}

/// What happened in a call, for the record.
#[derive(Default)]
pub(super) struct Trace {
    now: Timestamp,
    asked: Vec<Exchange>,
    wasi_clock: Vec<u64>,
    blot: Blot,
}

impl Callee {
    /// Makes a fresh instance and lets `work` call it. Whatever the guest does, this returns within the wall-clock limit (plus
    /// what a tick of the epoch takes), and nothing of the guest is left afterwards. Dropping the future ends the call.
    pub(super) async fn call<T, W>(&self, work: W) -> Called<T>
    where
        T: Blotted + Send,
        W: for<'a> FnOnce(Guest<'a>) -> BoxFuture<'a, wasmtime::Result<Result<T, String>>> + Send,
    {
        let started = Instant::now();
        let now = self.now.unwrap_or_else(clock::today);
        let limits = &self.limits;
        let blot = self.blot.copy();
        let log = GuestLog::new(&self.name, limits, self.sink.clone(), blot.clone());
        let (world, outputs) = match &self.wasi_random {
            Some(random) => {
                let (world, outputs) = wasi::empty_world(random, now, &self.tape, limits, &log);
                (Some(world), Some(outputs))
            }
            None => (None, None),
        };
        let cpu = Arc::new(CpuMeter::default());
        let mut store = self.store(Ctx::new(limits, self.given(&log, &blot), now, world), &cpu);

        let ticking = self.engine.ticking();
        let guest = async {
            let instance = self.pre.instantiate_async(&mut store).await?;
            store.data_mut().entered = true;
            work(Guest { store: &mut store, instance: &instance, limits }).await
        };
        // On a timeout the guest's stack is dropped where it is, in a host call or between two of its instructions.
        // A fault of runner's own that a guest can reach costs that call, not the program: nothing of the store is used afterwards but
        // what it has counted.
        let guarded = AssertUnwindSafe(Metered::new(guest, cpu.clone())).catch_unwind();
        let ended = timeout(limits.wall, guarded).await;
        drop(ticking);

        let (written, wasi_clock) = outputs.map_or((0, Vec::new()), |outputs| outputs.finish());
        log.finish();
        let asked = std::mem::take(&mut store.data_mut().asked);
        let ctx = store.data();
        let result = match ended {
            Ok(Ok(Ok(Ok(value)))) => Ok(value),
            Ok(Ok(Ok(Err(text)))) => Err((FaultKind::Error, text)),
            Ok(Ok(Err(error))) => Err(fault::classify(&error, ctx, limits)),
            Ok(Err(_)) => Err((FaultKind::Trap, "reached a fault of runner's own (a bug: please report it)".to_owned())),
            Err(_) => Err((FaultKind::Timeout, format!("did not answer within {:?}", limits.wall))),
        };
        let usage = Usage {
            cpu: cpu.spent(),
            wall: started.elapsed(),
            memory: ctx.memory.peak,
            host_calls: ctx.meter.host_calls,
            bytes_in: ctx.meter.bytes_in,
            bytes_out: ctx.meter.bytes_out + written,
        };
        let result = match result {
            Ok(mut value) => {
                value.blot(&|text, most| blot.line(text, most));
                Ok(value)
            }
            Err((kind, message)) => Err(Fault { kind, message: blot.line(&message, MAX_TEXT), log: log.tail() }),
        };
        Called { result, usage, trace: Trace { now, asked, wasi_clock, blot } }
    }

    /// [`Self::call`], written down.
    pub(super) async fn put<T, W>(&self, question: Question, work: W) -> Called<T>
    where
        T: Blotted + Recordable + Send,
        W: for<'a> FnOnce(Guest<'a>) -> BoxFuture<'a, wasmtime::Result<Result<T, String>>> + Send,
    {
        let called = self.call(work).await;
        if let Some(recorder) = &self.recorder {
            recorder.call(self.record(&called, question));
        }
        called
    }

    /// The record of a call.
    pub(super) fn record<T: Recordable>(&self, called: &Called<T>, question: Question) -> CallRecord {
        let Called { result, usage, trace } = called;
        CallRecord {
            plugin: self.identity.clone(),
            question,
            now: trace.now,
            asked: trace.asked.clone(),
            wasi_clock: trace.wasi_clock.clone(),
            result: result.as_ref().map(Recordable::answered).map_err(Clone::clone),
            usage: *usage,
            blot: trace.blot.clone(),
        }
    }

    fn given(&self, log: &GuestLog, blot: &Blot) -> Given {
        Given {
            plugin: self.name.clone(),
            log: log.clone(),
            settings: self.settings.clone(),
            permission: self.permission.clone(),
            surroundings: self.surroundings.clone(),
            blot: blot.clone(),
        }
    }

    fn store(&self, ctx: Ctx, cpu: &Arc<CpuMeter>) -> Store<Ctx> {
        let mut store = Store::new(self.engine.wasmtime(), ctx);
        store.limiter(|ctx| &mut ctx.memory);
        store.set_max_component_handles(self.limits.handles);
        // Per transfer: the most that a guest can make us allocate at once.
        store.set_hostcall_fuel(usize::try_from(self.limits.bytes).unwrap_or(usize::MAX));
        store.set_epoch_deadline(1);
        let (cpu, limit) = (cpu.clone(), self.limits.cpu);
        store.epoch_deadline_callback(move |_| match cpu.running() > limit {
            true => Err(Hit::Cpu.into()),
            // Other tasks of this thread get their turn, and the wall-clock timeout is looked at. tokio's own yield, since it
            // looks at its timers and sockets before it comes back; wasmtime's is polled 61 times before that.
            false => Ok(UpdateDeadline::YieldCustom(1, Box::pin(tokio::task::yield_now()))),
        });
        store
    }
}
