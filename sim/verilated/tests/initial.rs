//! Initial values: chosen, and random by seed.

mod common;
use common::{COUNTER, build};
use verilated::{Initial, Library, Result};

/// What the registers without reset hold at first.
fn first_values(library: &Library, initial: Initial) -> Result<(u64, [u64; 2])> {
    let model = library.model(initial)?;
    let mut wide = [0; 2];
    model.get_words(model.port("wide", 100)?, &mut wide)?;
    Ok((model.get(model.port("count", 16)?)?, wide))
}

#[test]
fn zeros_and_ones_fill_every_register() -> Result<()> {
    let library = build("counter", COUNTER).load()?;
    assert_eq!(first_values(&library, Initial::Zeros)?, (0, [0, 0]));
    assert_eq!(first_values(&library, Initial::Ones)?, (0xffff, [u64::MAX, (1 << 36) - 1]));
    Ok(())
}

#[test]
fn the_same_seed_gives_the_same_values_on_any_thread() -> Result<()> {
    let library = build("counter", COUNTER).load()?;
    let expected = first_values(&library, Initial::Random(5))?;
    let threads: Vec<_> = (0..8)
        .map(|_| {
            let library = library.clone();
            std::thread::spawn(move || -> Result<Vec<_>> {
                (0..50).map(|_| first_values(&library, Initial::Random(5))).collect()
            })
        })
        .collect();
    for thread in threads {
        let values = thread.join().expect("thread")?;
        assert!(values.iter().all(|value| *value == expected));
    }
    Ok(())
}

#[test]
fn different_seeds_give_different_values() -> Result<()> {
    let library = build("counter", COUNTER).load()?;
    let mut values = Vec::new();
    for seed in [0, 1, 2, 3, u32::MAX] {
        values.push(first_values(&library, Initial::Random(seed))?);
    }
    values.sort_unstable();
    values.dedup();
    assert_eq!(values.len(), 5);
    Ok(())
}

#[test]
fn inputs_start_at_zero_whatever_the_seed() -> Result<()> {
    let model = build("counter", COUNTER).load()?.model(Initial::Random(9))?;
    assert_eq!(model.get(model.port("step", 16)?)?, 0);
    assert_eq!(model.get(model.port("clk", 1)?)?, 0);
    Ok(())
}
