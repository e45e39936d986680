//! A descriptor that touches what an earlier one may still use must wait.

use super::*;
use proptest::prelude::*;

/// Asserts that `second` is legal after `first` only if it waits, and what it would touch.
#[track_caller]
fn assert_must_wait(first: impl Into<Operation>, second: impl Into<Operation>, region: &str) {
    let (program, second) = (prepared().wait(first), second.into());
    let reason = format!("touches {region}, in use by an earlier descriptor, without waiting");
    program.clone().then(second).assert_refused(&reason);
    program.wait(second).assert_legal();
}

fn move_word(from: u32, to: u32) -> Copy {
    copy((Space::Scratchpad, from), (Space::Scratchpad, to), 1)
}

#[test]
fn reading_what_is_being_written_must_wait() {
    let reader = Linear { input: 303, output: 400, tokens: 1, inputs: 4, ..linear() };
    assert_must_wait(linear(), reader, "scratchpad words 303..304");
    let reader = copy((Space::Residual, 3), (Space::Memory, 0), 1);
    prepared()
        .wait(route())
        .wait(experts())
        .then(reader)
        .assert_refused("touches residual words 3..4, in use by an earlier descriptor, without waiting");
}

#[test]
fn overwriting_what_is_being_read_must_wait() {
    assert_must_wait(linear(), move_word(200, 3), "scratchpad words 3..4");
    assert_must_wait(attention(), move_word(200, 15), "scratchpad words 15..16");
}

#[test]
fn overwriting_what_is_being_written_must_wait() {
    assert_must_wait(linear(), move_word(200, 303), "scratchpad words 303..304");
    prepared().wait(route()).then(experts()).then(move_word(200, 331)).assert_refused(
        "touches scratchpad words 331..332, in use by an earlier descriptor, without waiting",
    );
}

#[test]
fn accumulating_twice_must_wait() {
    let accumulate = Linear { destination: Destination::Residual, outputs: 8, output: 0, ..linear() };
    assert_must_wait(accumulate, accumulate, "residual words 0..4");
    assert_must_wait(norm(), accumulate, "residual words 0..4");
}

#[test]
fn memory_counts_as_well() {
    let store = copy((Space::Scratchpad, 0), (Space::Memory, 2048), 8);
    let load = copy((Space::Memory, 2048 + 64), (Space::Scratchpad, 250), 1);
    prepared().wait(store).then(load).assert_legal();
    let load = copy((Space::Memory, 2048), (Space::Scratchpad, 250), 1);
    assert_must_wait(store, load, "memory bytes 2048..2056");
}

#[test]
fn what_is_apart_or_only_read_need_not_wait() {
    // Same input, neighbouring outputs; same address in another memory.
    let neighbour = Linear { output: 304, ..linear() };
    prepared().wait(linear()).then(neighbour).assert_legal();
    let residual = copy((Space::Scratchpad, 0), (Space::Residual, 300), 4);
    prepared().wait(linear()).then(residual).assert_legal();
}

#[test]
fn a_wait_covers_all_before_it() {
    let program = prepared().wait(move_word(0, 300)).then(move_word(1, 301)).wait(move_word(2, 302));
    program.clone().then(move_word(300, 303)).then(move_word(301, 304)).assert_legal();
    program.then(move_word(302, 303)).assert_refused(
        "touches scratchpad words 302..303, in use by an earlier descriptor, without waiting",
    );
}

#[test]
fn a_context_may_replace_its_queries_and_nothing_else() {
    prepared().wait(Attention { context: 0, ..attention() }).assert_legal();
    let apart = Attention { queries: 20, ..attention() };
    for (context, input) in
        [(1, "4..8"), (7, "4..8"), (9, "8..16"), (15, "8..16"), (17, "20..24"), (23, "20..24")]
    {
        let reason = format!("would change scratchpad words {input} while it is still read or written");
        prepared().wait(Attention { context, ..apart }).assert_refused(&reason);
    }
    prepared().wait(Attention { context: 16, ..apart }).assert_legal();
    let keys_are_queries = Attention { context: 0, keys: 0, ..attention() };
    let reason = "would change scratchpad words 0..4 while it is still read or written";
    prepared().wait(keys_are_queries).assert_refused(reason);
}

#[test]
fn no_other_operation_may_overlap_itself() {
    let refused = |operation: Operation, region: &str| {
        let reason = format!("would change {region} while it is still read or written");
        prepared().wait(route()).wait(operation).assert_refused(&reason);
    };
    refused(Linear { output: 3, ..linear() }.into(), "scratchpad words 0..4");
    refused(Experts { hidden: 3, ..experts() }.into(), "scratchpad words 0..4");
    refused(copy((Space::Residual, 0), (Space::Residual, 3), 4).into(), "residual words 0..4");
    refused(copy((Space::Scratchpad, 3), (Space::Scratchpad, 0), 4).into(), "scratchpad words 3..7");
}

#[test]
fn issue_asks_for_a_wait_exactly_when_one_is_needed() {
    let mut in_flight = InFlight::default();
    let issued = [
        (move_word(0, 10), false),
        (move_word(0, 11), false),
        (move_word(10, 12), true),
        (move_word(11, 13), false), // the wait above covered word 11
        (move_word(1, 12), true),
        (move_word(2, 1), true),
        (move_word(3, 4), false),
    ];
    for (index, (operation, wait)) in issued.into_iter().enumerate() {
        assert_eq!(in_flight.issue(&ArchConfig::tiny(), &operation.into()), wait, "operation {index}");
    }
}

proptest! {
    /// Copies of single words among 8, with the waits that `issue` asks for, are legal;
    /// without any one of those waits they are not.
    #[test]
    fn issued_waits_suffice_and_none_is_idle(moves in prop::collection::vec((0u32..8, 1u32..8), 0..12)) {
        let mut in_flight = InFlight::default();
        let mut program = prepared().0;
        program.push(Descriptor { wait: true, operation: move_word(100, 101).into() });
        for (from, distance) in moves {
            let operation = move_word(from, (from + distance) % 8).into();
            let wait = in_flight.issue(&ArchConfig::tiny(), &operation);
            program.push(Descriptor { wait, operation });
        }
        program.push(Descriptor { wait: false, operation: End {}.into() });
        Listing(program.clone()).check_as_it_is().unwrap();
        for index in (3..program.len()).filter(|&index| program[index].wait) {
            let mut hasty = program.clone();
            hasty[index].wait = false;
            prop_assert!(Listing(hasty).check_as_it_is().is_err(), "the wait of descriptor {index} is idle");
        }
    }
}
