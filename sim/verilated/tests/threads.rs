//! Several models at a time.

mod common;
use common::{ACCUMULATOR, COUNTER, build};
use std::thread;
use verilated::{Initial, Model, Result};

fn count(mut model: Model, step: u64, cycles: u64) -> Result<u64> {
    let (clk, count) = (model.port("clk", 1)?, model.port("count", 16)?);
    model.set(model.port("step", 16)?, step)?;
    for _ in 0..cycles {
        model.tick(clk)?;
    }
    assert_eq!(model.time(), 2 * cycles, "each model has its own time");
    model.get(count)
}

#[test]
fn models_of_one_library_run_on_threads_of_their_own() -> Result<()> {
    let library = build("counter", COUNTER).load()?;
    let mut threads = Vec::new();
    for step in 1..=4 {
        // Made here, run there.
        let model = library.model(Initial::Zeros)?;
        threads.push((step, thread::spawn(move || count(model, step, 100_000))));
    }
    for (step, thread) in threads {
        assert_eq!(thread.join().expect("thread")?, step * 100_000 % 65_536);
    }
    Ok(())
}

#[test]
fn models_of_two_libraries_alternate_on_one_thread() -> Result<()> {
    let mut first = build("counter", COUNTER).load()?.model(Initial::Zeros)?;
    let mut second = build("accumulator", ACCUMULATOR).load()?.model(Initial::Zeros)?;
    first.set(first.port("step", 16)?, 3)?;
    second.set_signed(second.port("in", 12)?, -5)?;
    let (clk_first, clk_second) = (first.port("clk", 1)?, second.port("clk", 1)?);
    for _ in 0..1000 {
        first.tick(clk_first)?;
        second.tick(clk_second)?;
    }
    assert_eq!(first.get(first.port("count", 16)?)?, 3000);
    assert_eq!(second.get_signed(second.port("sum", 20)?)?, -5000);
    Ok(())
}

#[test]
fn a_model_outlives_its_library() -> Result<()> {
    let library = build("counter", COUNTER).load()?;
    let model = library.model(Initial::Zeros)?;
    drop(library);
    assert_eq!(count(model, 2, 10)?, 20);
    Ok(())
}

#[test]
fn threads_that_want_the_same_model_build_it_once() -> Result<()> {
    let text = format!("{COUNTER}// {:?}\n", std::time::SystemTime::now());
    let build = build("counter", &text);
    let fresh: Vec<bool> = thread::scope(|scope| {
        let threads: Vec<_> = (0..4).map(|_| scope.spawn(|| build.compile())).collect();
        threads
            .into_iter()
            .map(|thread| Ok(!thread.join().expect("thread")?.is_cached()))
            .collect::<Result<_>>()
    })?;
    assert_eq!(fresh.iter().filter(|fresh| **fresh).count(), 1);
    Ok(())
}
