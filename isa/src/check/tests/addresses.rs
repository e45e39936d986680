//! Every address lies inside its memory, and nothing is read that no one wrote.

use super::*;

/// Asserts that an operation after [`prepared`] is refused, and why.
#[track_caller]
fn assert_refused(operation: impl Into<Operation>, reason: &str) {
    prepared().wait(operation).assert_refused(reason);
}

#[track_caller]
fn assert_legal(operation: impl Into<Operation>) {
    prepared().wait(operation).assert_legal();
}

#[test]
fn scratchpad_addresses_end_with_the_scratchpad() {
    assert_legal(Linear { output: 4092, ..linear() });
    assert_refused(Linear { output: 4093, ..linear() }, "scratchpad words 4093..4097 lie outside its 4096");
    assert_refused(
        Linear { input: u32::MAX, ..linear() },
        "scratchpad words 4294967295..4294967299 lie outside its 4096",
    );
    assert_refused(Norm { output: 4093, ..norm() }, "scratchpad words 4093..4097 lie outside its 4096");
    assert_refused(
        Attention { values: 4089, ..attention() },
        "scratchpad words 4089..4097 lie outside its 4096",
    );
    assert_refused(Route { logits: 4095, ..route() }, "scratchpad words 4095..4097 lie outside its 4096");
    assert_refused(Experts { hidden: 4095, ..experts() }, "scratchpad words 4095..4097 lie outside its 4096");
}

#[test]
fn residual_addresses_end_with_the_residual_memory() {
    assert_refused(Norm { input: 1021, ..norm() }, "residual words 1021..1025 lie outside its 1024");
    assert_refused(Experts { residual: 1021, ..experts() }, "residual words 1021..1025 lie outside its 1024");
    let to = |address| copy((Space::Scratchpad, 0), (Space::Residual, address), 4);
    assert_legal(to(1020));
    assert_refused(to(1021), "residual words 1021..1025 lie outside its 1024");
}

#[test]
fn memory_addresses_end_with_the_image() {
    assert_legal(Linear { weights: 65536 - 128, ..linear() });
    assert_refused(
        Linear { weights: 65536 - 64, ..linear() },
        "memory bytes 65472..65600 lie outside its 65536",
    );
    assert_refused(Norm { parameters: 65536, ..norm() }, "memory bytes 65536..65600 lie outside its 65536");
    assert_refused(
        Experts { weights: 65536 - 704, ..experts() },
        "memory bytes 64832..65600 lie outside its 65536",
    );
    assert_refused(
        Experts { weights: u32::MAX - 63, stride: u32::MAX - 63, ..experts() },
        "memory bytes 4294967232..21474836160 lie outside its 65536",
    );
    let from = copy((Space::Memory, 65536 - 64), (Space::Scratchpad, 0), 9);
    assert_refused(from, "memory bytes 65472..65544 lie outside its 65536");
}

#[test]
fn a_set_or_a_padded_word_too_many_is_outside() {
    // 2 sets of 2 tokens at ceil(6/4) words each are 8 words.
    assert_refused(
        Linear { output: 4089, sets: 2, ..linear() },
        "scratchpad words 4089..4097 lie outside its 4096",
    );
    // 6 channels at ceil(2/4) words each are 6 words.
    let channels = Linear { destination: Destination::Channels, ..linear() };
    assert_legal(Linear { output: 4090, ..channels });
    assert_refused(Linear { output: 4091, ..channels }, "scratchpad words 4091..4097 lie outside its 4096");
}

#[test]
fn memory_is_written_only_in_its_writable_part() {
    let to = |address| copy((Space::Scratchpad, 0), (Space::Memory, address), 8);
    assert_legal(to(4096 - 64));
    assert_refused(to(4096), "memory bytes 4096..4160 would be written, writable memory ends at 4096");
    let across = copy((Space::Scratchpad, 0), (Space::Memory, 4096 - 64), 9);
    assert_refused(across, "memory bytes 4032..4104 would be written, writable memory ends at 4096");
}

#[test]
fn weights_and_parameters_come_from_the_image() {
    assert_refused(
        Linear { weights: 0, ..linear() },
        "memory bytes 0..128 hold weights, but the image starts at 4096",
    );
    assert_refused(
        Linear { weights: 4096 - 64, ..linear() },
        "memory bytes 4032..4160 hold weights, but the image starts at 4096",
    );
    assert_refused(
        Norm { parameters: 4096 - 64, ..norm() },
        "memory bytes 4032..4096 hold weights, but the image starts at 4096",
    );
    prepared()
        .wait(route())
        .then(Experts { weights: 4096 - 64, ..experts() })
        .assert_refused("memory bytes 4032..4800 hold weights, but the image starts at 4096");
}

#[test]
fn a_copy_reads_one_part_of_memory() {
    let from = |address| copy((Space::Memory, address), (Space::Scratchpad, 0), 9);
    assert_legal(copy((Space::Memory, 4096 - 64), (Space::Scratchpad, 0), 8));
    assert_legal(from(4096));
    assert_refused(from(4096 - 64), "memory bytes 4032..4104 lie across the start of the image at 4096");
}

#[test]
fn words_that_were_not_written_cannot_be_read() {
    assert_legal(Linear { input: 252, ..linear() });
    assert_refused(Linear { input: 253, ..linear() }, "reads scratchpad word 256, never written");
    assert_refused(Norm { input: 61, ..norm() }, "reads residual word 64, never written");
    assert_refused(Attention { values: 249, ..attention() }, "reads scratchpad word 256, never written");
    assert_refused(Route { logits: 1000, ..route() }, "reads scratchpad word 1000, never written");
    // What a linear layer accumulates to must hold something.
    let accumulate = Linear { destination: Destination::Residual, outputs: 8, output: 62, ..linear() };
    assert_refused(accumulate, "reads residual word 64, never written");
    let from = copy((Space::Residual, 64), (Space::Scratchpad, 0), 1);
    assert_refused(from, "reads residual word 64, never written");
}

#[test]
fn a_result_can_be_read() {
    let next = Linear { input: 300, output: 400, ..linear() };
    prepared().wait(linear()).wait(next).assert_legal();
    // 6 channels of one word each, not 8.
    let transposed = Linear { destination: Destination::Channels, ..linear() };
    let values = Attention { values: 300, ..attention() };
    prepared().wait(transposed).wait(values).assert_refused("reads scratchpad word 306, never written");
}

#[test]
fn hidden_values_of_experts_cannot_be_read() {
    let hidden_in_written_words = Experts { hidden: 100, ..experts() };
    let read = |word| copy((Space::Scratchpad, word), (Space::Memory, 0), 1);
    let program = prepared().wait(route()).then(hidden_in_written_words);
    program.clone().wait(read(99)).assert_legal();
    program.clone().wait(read(101)).assert_refused("reads scratchpad word 101, never written");
    program.wait(read(102)).assert_legal();
}
