//! A plugin's call through the host's engine beside wasmtime called directly with the same component: what limits, journal and metering cost.

use anyhow::{Context as _, ensure};
use sangam::config::Instances;
use wasmtime::component::{Component, HasSelf, Linker, ResourceTable};
use wasmtime::{Config, Engine, InstanceAllocationStrategy, PoolingAllocationConfig, Store};
use wasmtime_wasi::{WasiCtx, WasiCtxView, WasiView};

use super::call::{self, ANSWER, Subject, micros_of};
use super::{About, Row, Running, When};
use crate::figures::{Rounds, median};
use crate::line::{Line, NOTHING_WRITTEN};
use crate::{Bench, Effort};

mod bindings {
    wasmtime::component::bindgen!({
        path: "../../wit",
        world: "connector",
        imports: { default: async | trappable },
        exports: { default: async },
    });
}

use bindings::sangam::connector::{http, key_value, log, types};

/// Stacks and memories: as many as the engine's own pool of small components has.
const PLACES: u32 = 512;
/// Bytes of a memory that stay resident between calls, as there.
const RESIDENT: usize = 512 << 10;

/// The row `call-wasmtime`.
pub(super) struct Direct;

impl Row for Direct {
    fn about(&self) -> About {
        About {
            name: "call-wasmtime",
            what: "the call through the host's engine, with its limits, meter and journal",
            goal: "none: what they cost",
            reference: "wasmtime called directly with the same component: pooled instances, the answer from memory, no limits, no journal",
            when: When::Always,
        }
    }

    fn run<'a>(&'a self, bench: &'a Bench) -> Running<'a> {
        Box::pin(measure(self.about(), bench.effort))
    }
}

async fn measure(about: About, effort: Effort) -> anyhow::Result<Vec<Line>> {
    let (_folder, runtime) = call::host().await?;
    let bare = Bare::new()?;
    let mut lines = Vec::new();
    for (mode, instances) in [("fresh", Instances::PerCall), ("reused", Instances::Reuse)] {
        let subject = Subject::new(&runtime, instances)?;
        let mut instance = bare.instance().await?;
        let calls = call::calls(effort);
        let mut reference = async |calls: usize| {
            let mut times = Vec::with_capacity(calls);
            for _ in 0..calls {
                times.push(match instances {
                    Instances::PerCall => micros_of(async || bare.fresh(&subject).await).await?,
                    Instances::Reuse => micros_of(async || bare.call(&mut instance, &subject).await).await?,
                });
            }
            Ok::<_, anyhow::Error>(median(&times))
        };
        let host = async |calls: usize| Ok::<_, anyhow::Error>(median(&subject.times(calls).await?));
        reference(calls / 4).await?;
        host(calls / 4).await?;
        let mut rounds = Rounds::default();
        for _ in 0..effort.rounds {
            rounds.add(reference(calls).await?, host(calls).await?, reference(calls).await?);
        }
        let mut line = Line::new(&format!("{} {mode}", about.name), about.goal, NOTHING_WRITTEN);
        line.compare(&rounds, about.reference, "µs");
        line.notes.push(format!("{} calls a round, an instance {mode} for each", calls));
        lines.push(line);
    }
    runtime.store.clone().close().await;
    Ok(lines)
}

/// wasmtime with the component, and nothing of the host.
struct Bare {
    engine: Engine,
    connector: bindings::ConnectorPre<State>,
}

/// An instance and its store.
struct Instance {
    store: Store<State>,
    connector: bindings::Connector,
}

impl Bare {
    fn new() -> anyhow::Result<Bare> {
        let mut pool = PoolingAllocationConfig::new();
        pool.total_component_instances(PLACES)
            .total_core_instances(PLACES)
            .total_memories(PLACES)
            .total_tables(PLACES)
            .total_stacks(PLACES)
            .linear_memory_keep_resident(RESIDENT)
            .decommit_batch_size(1);
        let mut config = Config::new();
        config.allocation_strategy(InstanceAllocationStrategy::Pooling(pool));
        let engine = Engine::new(&config)?;
        let component = Component::new(&engine, std::fs::read(sangam_tests::guest("bench"))?)?;
        let mut linker = Linker::<State>::new(&engine);
        wasmtime_wasi::p2::add_to_linker_async(&mut linker)?;
        bindings::Connector::add_to_linker::<_, HasSelf<_>>(&mut linker, |state| state)?;
        let connector = bindings::ConnectorPre::new(linker.instantiate_pre(&component)?)?;
        Ok(Bare { engine, connector })
    }

    async fn instance(&self) -> anyhow::Result<Instance> {
        let mut store = Store::new(&self.engine, State { wasi: WasiCtx::builder().build(), table: ResourceTable::new() });
        let connector = self.connector.instantiate_async(&mut store).await?;
        Ok(Instance { store, connector })
    }

    async fn call(&self, instance: &mut Instance, subject: &Subject) -> anyhow::Result<()> {
        let Instance { store, connector } = instance;
        let (action, input, context) = subject.called_with();
        let output = connector.sangam_connector_actions().call_invoke(store, action, input, context).await?;
        let output = output.ok().context("the plugin failed")?;
        ensure!(output.data.contains("S-4711"), "the call gave {}", output.data);
        Ok(())
    }

    async fn fresh(&self, subject: &Subject) -> anyhow::Result<()> {
        let mut instance = self.instance().await?;
        self.call(&mut instance, subject).await
    }
}

struct State {
    wasi: WasiCtx,
    table: ResourceTable,
}

impl WasiView for State {
    fn ctx(&mut self) -> WasiCtxView<'_> {
        WasiCtxView { ctx: &mut self.wasi, table: &mut self.table }
    }
}

impl types::Host for State {}

impl http::Host for State {
    async fn send(&mut self, request: http::Request) -> wasmtime::Result<Result<http::Response, http::Error>> {
        if request.body.is_empty() {
            return Err(wasmtime::Error::msg("the request lacks its body"));
        }
        let headers = vec![("content-type".to_owned(), b"application/json".to_vec())];
        Ok(Ok(http::Response { status: 200, headers, body: ANSWER.as_bytes().to_vec() }))
    }

    async fn key(&mut self, _: String) -> wasmtime::Result<String> {
        Err(unasked())
    }
}

impl log::Host for State {
    async fn log(&mut self, _: log::Level, _: String, _: Vec<(String, String)>) -> wasmtime::Result<()> {
        Ok(())
    }
}

impl key_value::Host for State {
    async fn get(&mut self, _: String) -> wasmtime::Result<Result<Option<Vec<u8>>, key_value::Error>> {
        Err(unasked())
    }

    async fn set(&mut self, _: String, _: Vec<u8>) -> wasmtime::Result<Result<(), key_value::Error>> {
        Err(unasked())
    }

    async fn delete(&mut self, _: String) -> wasmtime::Result<Result<(), key_value::Error>> {
        Err(unasked())
    }

    async fn increment(&mut self, _: String, _: i64) -> wasmtime::Result<Result<i64, key_value::Error>> {
        Err(unasked())
    }

    async fn compare_and_swap(&mut self, _: String, _: Option<Vec<u8>>, _: Vec<u8>) -> wasmtime::Result<Result<bool, key_value::Error>> {
        Err(unasked())
    }

    async fn list(&mut self, _: String, _: Option<String>, _: u32) -> wasmtime::Result<Result<key_value::Keys, key_value::Error>> {
        Err(unasked())
    }
}

fn unasked() -> wasmtime::Error {
    wasmtime::Error::msg("the guest `bench` does not ask for that")
}
