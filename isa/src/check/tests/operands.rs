//! Which operands an operation may have.

use super::*;
use crate::check::operands;

/// Asserts that each operation is refused for its operands alone, and why.
#[track_caller]
fn assert_refused(table: &[(Operation, &str)]) {
    for (operation, reason) in table {
        let refused = operands::check(&ArchConfig::tiny(), operation);
        assert_eq!(refused, Err(reason.to_string()), "{operation:?}");
        let expected = ProgramError { index: 2, reason: reason.to_string() };
        let program = prepared().wait(*operation).then(End {});
        assert_eq!(program.check_as_it_is(), Err(expected), "{operation:?}");
    }
}

#[track_caller]
fn assert_accepted(table: &[Operation]) {
    for operation in table {
        assert_eq!(operands::check(&ArchConfig::tiny(), operation), Ok(()), "{operation:?}");
    }
}

#[test]
fn operands_of_linear() {
    let legal = linear();
    assert_accepted(&[
        Linear { inputs: 4, outputs: 1, tokens: 1, ..legal }.into(),
        Linear { inputs: 256, outputs: 65535, tokens: 64, sets: 255, ..legal }.into(),
        Linear { bits: 9, shift: 1, bias_shift: 0, gelu_bits: 9, ..legal }.into(),
        Linear { bits: 16, shift: 47, bias_shift: 24, gelu_bits: 13, ..legal }.into(),
    ]);
    assert_refused(&[
        (Linear { inputs: 0, ..legal }.into(), "inputs is 0, allowed are 4 to 256"),
        (Linear { inputs: 6, ..legal }.into(), "inputs is 6, must be a multiple of 4 (V)"),
        (Linear { inputs: 260, ..legal }.into(), "inputs is 260, allowed are 4 to 256"),
        (Linear { outputs: 0, ..legal }.into(), "outputs is 0, allowed are 1 to 65535"),
        (Linear { tokens: 0, ..legal }.into(), "tokens is 0, allowed are 1 to 64"),
        (Linear { tokens: 65, ..legal }.into(), "tokens is 65, allowed are 1 to 64"),
        (Linear { sets: 0, ..legal }.into(), "sets is 0, allowed are 1 to 255"),
        (Linear { weights: IMAGE + 8, ..legal }.into(), "weights is 4104, must be a multiple of 64"),
        (Linear { bits: 8, ..legal }.into(), "bits is 8, allowed are 9 and 16"),
        (Linear { shift: 0, ..legal }.into(), "shift is 0, allowed are 1 to 47"),
        (Linear { shift: 48, ..legal }.into(), "shift is 48, allowed are 1 to 47"),
        (Linear { bias_shift: 25, ..legal }.into(), "bias_shift is 25, allowed are 0 to 24"),
        (Linear { gelu_bits: 8, ..legal }.into(), "gelu_bits is 8, allowed are 9 to 13"),
        (Linear { gelu_bits: 14, ..legal }.into(), "gelu_bits is 14, allowed are 9 to 13"),
        (
            Linear { destination: Destination::Residual, output: 0, ..legal }.into(),
            "outputs is 6, must be a multiple of 4 (V)",
        ),
    ]);
}

#[test]
fn operands_of_norm() {
    let legal = norm();
    assert_accepted(&[
        Norm { channels: 256, tokens: 65535, epsilon: 1 << 48, ..legal }.into(),
        Norm { channels: 4, tokens: 1, shift: 1, bias_shift: 0, ..legal }.into(),
    ]);
    assert_refused(&[
        (Norm { channels: 0, ..legal }.into(), "channels is 0, allowed are 4 to 256"),
        (Norm { channels: 260, ..legal }.into(), "channels is 260, allowed are 4 to 256"),
        (Norm { channels: 7, ..legal }.into(), "channels is 7, must be a multiple of 4 (V)"),
        (Norm { tokens: 0, ..legal }.into(), "tokens is 0, allowed are 1 to 65535"),
        (Norm { parameters: IMAGE + 1, ..legal }.into(), "parameters is 4097, must be a multiple of 64"),
        (Norm { shift: 0, ..legal }.into(), "shift is 0, allowed are 1 to 47"),
        (Norm { bias_shift: 25, ..legal }.into(), "bias_shift is 25, allowed are 0 to 24"),
        (Norm { epsilon: 0, ..legal }.into(), "epsilon is 0, allowed are 1 to 2^48"),
        (
            Norm { epsilon: (1 << 48) + 1, ..legal }.into(),
            "epsilon is 281474976710657, allowed are 1 to 2^48",
        ),
    ]);
}

#[test]
fn operands_of_attention() {
    let legal = attention();
    assert_accepted(&[
        Attention { heads: 255, head_channels: 32, tokens: 64, sets: 255, ..legal }.into(),
        Attention { logit_shift: 1, context_shift: 1, ..legal }.into(),
        Attention { logit_shift: 47, context_shift: 28, ..legal }.into(),
    ]);
    assert_refused(&[
        (Attention { head_channels: 0, ..legal }.into(), "head_channels is 0, allowed are 4 to 128"),
        (Attention { head_channels: 6, ..legal }.into(), "head_channels is 6, must be a multiple of 4 (V)"),
        (Attention { head_channels: 132, ..legal }.into(), "head_channels is 132, allowed are 4 to 128"),
        (Attention { heads: 0, ..legal }.into(), "heads is 0, allowed are 1 to 255"),
        (
            Attention { heads: 255, head_channels: 36, ..legal }.into(),
            "heads * head_channels is 9180, allowed are 1 to 8191",
        ),
        (Attention { sets: 0, ..legal }.into(), "sets is 0, allowed are 1 to 255"),
        (Attention { tokens: 0, ..legal }.into(), "tokens is 0, allowed are 1 to 64"),
        (Attention { tokens: 65, ..legal }.into(), "tokens is 65, allowed are 1 to 64"),
        (Attention { logit_shift: 0, ..legal }.into(), "logit_shift is 0, allowed are 1 to 47"),
        (Attention { logit_shift: 48, ..legal }.into(), "logit_shift is 48, allowed are 1 to 47"),
        (Attention { context_shift: 0, ..legal }.into(), "context_shift is 0, allowed are 1 to 28"),
        (Attention { context_shift: 29, ..legal }.into(), "context_shift is 29, allowed are 1 to 28"),
    ]);
}

#[test]
fn rows_fit_a_bank_and_an_accumulator() {
    let refused = |arch: &ArchConfig, operation: Operation| operands::check(arch, &operation).unwrap_err();
    // 9 words of probabilities for 33 tokens.
    let shallow = ArchConfig { bank_words: 16, ..ArchConfig::tiny() };
    let reason = refused(&shallow, Attention { tokens: 33, ..attention() }.into());
    assert_eq!(reason, "words of probabilities is 9, allowed are 1 to 8");
    // Deep banks do not lift the limit of the 36-bit accumulator.
    let deep = ArchConfig { bank_words: 8192, ..ArchConfig::tiny() };
    let reason = refused(&deep, Linear { inputs: 8192, ..linear() }.into());
    assert_eq!(reason, "inputs is 8192, allowed are 4 to 8191");
    let reason = refused(&deep, Attention { head_channels: 4096, ..attention() }.into());
    assert_eq!(reason, "head_channels is 4096, allowed are 4 to 4095");
}

#[test]
fn operands_of_route() {
    let legal = route();
    assert_accepted(&[
        Route { experts: 1, top_k: 1, tokens: 1, append: 1, ..legal }.into(),
        Route { experts: 16, top_k: 16, tokens: 64, first_token: 65535, ..legal }.into(),
    ]);
    assert_refused(&[
        (Route { experts: 0, ..legal }.into(), "experts is 0, allowed are 1 to 16"),
        (Route { experts: 17, ..legal }.into(), "experts is 17, allowed are 1 to 16"),
        (Route { top_k: 0, ..legal }.into(), "top_k is 0, allowed are 1 to 4"),
        (Route { top_k: 5, ..legal }.into(), "top_k is 5, allowed are 1 to 4"),
        (Route { tokens: 0, ..legal }.into(), "tokens is 0, allowed are 1 to 64"),
        (Route { tokens: 65, ..legal }.into(), "tokens is 65, allowed are 1 to 64"),
        (Route { append: 2, ..legal }.into(), "append is 2, allowed are 0 to 1"),
    ]);
}

#[test]
fn operands_of_experts() {
    let legal = experts();
    assert_accepted(&[
        Experts { experts: 16, tokens: 65535, stride: u32::MAX - 63, ..legal }.into(),
        Experts { fc1_shift: 47, fc1_bias_shift: 24, fc2_shift: 1, fc2_bias_shift: 0, ..legal }.into(),
    ]);
    assert_refused(&[
        (Experts { channels: 6, ..legal }.into(), "channels is 6, must be a multiple of 4 (V)"),
        (Experts { channels: 260, ..legal }.into(), "channels is 260, allowed are 4 to 256"),
        (Experts { hidden_channels: 0, ..legal }.into(), "hidden_channels is 0, allowed are 4 to 256"),
        (Experts { experts: 0, ..legal }.into(), "experts is 0, allowed are 1 to 16"),
        (Experts { experts: 17, ..legal }.into(), "experts is 17, allowed are 1 to 16"),
        (Experts { tokens: 0, ..legal }.into(), "tokens is 0, allowed are 1 to 65535"),
        (Experts { weights: 32, ..legal }.into(), "weights is 32, must be a multiple of 64"),
        (Experts { stride: 200, ..legal }.into(), "stride is 200, must be a multiple of 64"),
        (Experts { stride: 128, ..legal }.into(), "stride is 128, an expert takes 160 bytes"),
        (Experts { fc1_shift: 0, ..legal }.into(), "fc1_shift is 0, allowed are 1 to 47"),
        (Experts { fc1_bias_shift: 25, ..legal }.into(), "fc1_bias_shift is 25, allowed are 0 to 24"),
        (Experts { fc2_shift: 48, ..legal }.into(), "fc2_shift is 48, allowed are 1 to 47"),
        (Experts { fc2_bias_shift: 25, ..legal }.into(), "fc2_bias_shift is 25, allowed are 0 to 24"),
        (Experts { gelu_bits: 0, ..legal }.into(), "gelu_bits is 0, allowed are 9 to 13"),
    ]);
}

#[test]
fn operands_of_copy() {
    let (memory, scratchpad) = ((Space::Memory, 0), (Space::Scratchpad, 0));
    assert_refused(&[
        (copy(memory, scratchpad, 0).into(), "words is 0, allowed are 1 to 16777216"),
        (copy(memory, scratchpad, u32::MAX).into(), "words is 4294967295, allowed are 1 to 16777216"),
        (copy((Space::Memory, 8), scratchpad, 1).into(), "source is 8, must be a multiple of 64"),
        (copy(scratchpad, (Space::Memory, 8), 1).into(), "destination is 8, must be a multiple of 64"),
        (copy(memory, (Space::Memory, 64), 1).into(), "memory cannot be copied to memory"),
    ]);
}
