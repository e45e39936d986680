//! Programs written by hand. Those that are not legal end in an error code with the descriptor it
//! belongs to, nothing is written outside of the window, and the next program runs.

use edge_moe_isa::arch::ArchConfig;
use edge_moe_isa::descriptor::{
    Attention, BYTES, Copy, Descriptor, Destination, End, Experts, Linear, Norm, Operation, Route, Space,
};
use edge_moe_isa::registers::ErrorCode;
use edge_moe_sim::memory::{Memory, MemorySettings};
use edge_moe_sim::{CoreLibrary, CoreModel, CoreOptions, Error, Run};

/// Bytes of the writable part.
const WRITABLE: u32 = 4096;
/// Where weights of zeros stand: behind the programs.
const WEIGHTS: u32 = WRITABLE + 4096;
/// End of device memory.
const TOTAL: u32 = WEIGHTS + 16384;

fn linear() -> Linear {
    Linear {
        input: 0,
        output: 64,
        weights: WEIGHTS,
        inputs: 8,
        outputs: 8,
        tokens: 2,
        sets: 1,
        destination: Destination::Tokens,
        bits: 16,
        shift: 1,
        bias_shift: 0,
        gelu_bits: 0,
    }
}

fn norm() -> Norm {
    Norm {
        input: 0,
        output: 64,
        parameters: WEIGHTS,
        channels: 8,
        tokens: 2,
        shift: 1,
        bias_shift: 0,
        epsilon: 1,
    }
}

fn attention() -> Attention {
    Attention {
        queries: 0,
        keys: 64,
        values: 128,
        context: 192,
        tokens: 2,
        sets: 1,
        heads: 1,
        head_channels: 8,
        logit_multiplier: 1,
        context_multiplier: 1,
        logit_shift: 1,
        context_shift: 1,
    }
}

fn route() -> Route {
    Route { logits: 0, first_token: 0, tokens: 4, experts: 4, top_k: 2, append: 0 }
}

fn experts() -> Experts {
    Experts {
        input: 0,
        hidden: 64,
        residual: 0,
        weights: WEIGHTS,
        stride: 256,
        channels: 8,
        hidden_channels: 8,
        experts: 4,
        tokens: 4,
        fc1_shift: 1,
        fc1_bias_shift: 0,
        fc2_shift: 1,
        fc2_bias_shift: 0,
        gelu_bits: 9,
    }
}

fn copy(source: (Space, u32), destination: (Space, u32), words: u32) -> Copy {
    Copy {
        source: source.1,
        destination: destination.1,
        words,
        source_space: source.0,
        destination_space: destination.0,
    }
}

fn bytes(operation: impl Into<Operation>) -> [u8; BYTES] {
    Descriptor { wait: true, operation: operation.into() }.encode()
}

/// A copy of the first words of memory there and back: tells whether a program ran.
fn harmless() -> Vec<[u8; BYTES]> {
    vec![
        bytes(copy((Space::Memory, 0), (Space::Scratchpad, 8), 8)),
        bytes(copy((Space::Scratchpad, 8), (Space::Memory, 64), 8)),
        bytes(End {}),
    ]
}

/// Where the program of a test stands: behind the harmless one.
const PROGRAM: u32 = WRITABLE + 1024;

struct Bench {
    library: CoreLibrary,
}

impl Bench {
    fn new() -> Self {
        Self { library: CoreLibrary::build(&ArchConfig::tiny(), false).unwrap() }
    }

    /// A core whose memory holds a harmless program, and another one.
    fn core(&self, program: &[[u8; BYTES]]) -> CoreModel {
        let mut image = harmless().concat();
        image.resize((PROGRAM - WRITABLE) as usize, 0);
        image.extend(program.concat());
        image.resize((TOTAL - WRITABLE) as usize, 0);
        let arch = ArchConfig::tiny();
        let memory = Memory::new(&arch, MemorySettings::of(&arch), memory_before(), image);
        CoreModel::new(&self.library, &CoreOptions::default(), memory).unwrap()
    }

    /// Runs descriptors behind a harmless one: the error must be of the second. Then a program runs.
    #[track_caller]
    fn refuse(&self, code: ErrorCode, what: &str, descriptors: &[[u8; BYTES]]) {
        self.refuse_at(code, what, descriptors, 1);
    }

    #[track_caller]
    fn refuse_at(&self, code: ErrorCode, what: &str, descriptors: &[[u8; BYTES]], index: usize) {
        let mut program = vec![harmless()[0]];
        program.extend(descriptors);
        program.push(bytes(End {}));
        let mut core = self.core(&program);
        match run(&mut core, PROGRAM) {
            Err(Error::Stopped { descriptor, code: found, .. }) => {
                assert_eq!(ErrorCode::from_value(found), Some(code), "{what}");
                assert_eq!(descriptor, index, "{what}: descriptor");
            }
            result => panic!("{what}: {result:?}, not an error {code:?}"),
        }
        assert!(core.memory().writable() == memory_before(), "{what}: wrote to memory");
        assert_next_run_right(&mut core, what);
    }
}

fn memory_before() -> Vec<u8> {
    (0..WRITABLE).map(|at| (at / 3) as u8).collect()
}

fn run(core: &mut CoreModel, program: u32) -> Result<(), Error> {
    let run = Run { program, serialise: false, interrupt: false, timeout: 5000, cycle_limit: 1_000_000 };
    core.start(&run)?;
    let result = core.run_to_end(&mut |_| ()).map(drop);
    core.drain(1000).unwrap();
    result
}

#[track_caller]
fn assert_next_run_right(core: &mut CoreModel, what: &str) {
    run(core, WRITABLE).unwrap_or_else(|error| panic!("after {what}: {error}"));
    let memory = core.memory().writable();
    assert_eq!(memory[..64], memory[64..128], "after {what}");
}

fn damaged(operation: impl Into<Operation>, at: usize, value: u8) -> [u8; BYTES] {
    let mut bytes = bytes(operation);
    bytes[at] = value;
    bytes
}

#[test]
fn descriptors_that_mean_nothing() {
    let bench = Bench::new();
    bench.refuse(ErrorCode::Opcode, "opcode 7", &[damaged(End {}, 0, 7)]);
    bench.refuse(ErrorCode::Opcode, "opcode 255", &[damaged(linear(), 0, 255)]);
    bench.refuse(ErrorCode::Operand, "a byte beyond all fields", &[damaged(linear(), 60, 1)]);
    bench.refuse(ErrorCode::Operand, "destination 3", &[damaged(linear(), 23, 3)]);
    let scratchpad = copy((Space::Scratchpad, 8), (Space::Scratchpad, 32), 8);
    bench.refuse(ErrorCode::Operand, "source space 3", &[damaged(scratchpad, 16, 3)]);
    bench.refuse(ErrorCode::Operand, "destination space 9", &[damaged(scratchpad, 17, 9)]);
}

#[test]
fn operands_out_of_range() {
    let bench = Bench::new();
    let illegal: Vec<(&str, Operation)> = vec![
        ("no input", Linear { inputs: 0, ..linear() }.into()),
        ("input of half a word", Linear { inputs: 10, ..linear() }.into()),
        ("rows beyond a bank", Linear { inputs: 260, ..linear() }.into()),
        ("no output", Linear { outputs: 0, ..linear() }.into()),
        ("no tokens", Linear { tokens: 0, ..linear() }.into()),
        ("too many tokens", Linear { tokens: 65, ..linear() }.into()),
        ("no sets", Linear { sets: 0, ..linear() }.into()),
        ("weights between lines", Linear { weights: WEIGHTS + 4, ..linear() }.into()),
        ("norm without channels", Norm { channels: 0, ..norm() }.into()),
        ("norm of too many channels", Norm { channels: 260, ..norm() }.into()),
        ("norm without tokens", Norm { tokens: 0, ..norm() }.into()),
        ("no heads", Attention { heads: 0, ..attention() }.into()),
        ("heads of no channels", Attention { head_channels: 0, ..attention() }.into()),
        ("heads beyond half a bank", Attention { head_channels: 132, ..attention() }.into()),
        ("attention without sets", Attention { sets: 0, ..attention() }.into()),
        ("attention of too many tokens", Attention { tokens: 65, ..attention() }.into()),
        ("route to no expert", Route { experts: 0, ..route() }.into()),
        ("route to too many experts", Route { experts: 17, ..route() }.into()),
        ("route to none of the experts", Route { top_k: 0, ..route() }.into()),
        ("route to more than all experts", Route { top_k: 5, ..route() }.into()),
        ("experts without channels", Experts { channels: 0, ..experts() }.into()),
        ("experts without hidden channels", Experts { hidden_channels: 0, ..experts() }.into()),
        ("too many experts", Experts { experts: 17, ..experts() }.into()),
        ("copy of nothing", copy((Space::Scratchpad, 0), (Space::Residual, 0), 0).into()),
        ("copy from memory to memory", copy((Space::Memory, 0), (Space::Memory, 64), 8).into()),
        ("copy to an odd address", copy((Space::Scratchpad, 8), (Space::Memory, 68), 8).into()),
    ];
    for (what, operation) in illegal {
        bench.refuse(ErrorCode::Operand, what, &[bytes(operation)]);
    }
}

#[test]
fn addresses_outside_of_the_window() {
    let bench = Bench::new();
    let read = ErrorCode::ReadWindow;
    bench.refuse(read, "weights", &[bytes(Linear { weights: TOTAL - 64, ..linear() })]);
    bench.refuse(
        read,
        "weights at the end of addresses",
        &[bytes(Linear { weights: u32::MAX - 63, ..linear() })],
    );
    bench.refuse(read, "parameters", &[bytes(Norm { parameters: TOTAL, ..norm() })]);
    bench.refuse(read, "source", &[bytes(copy((Space::Memory, TOTAL - 64), (Space::Scratchpad, 0), 9))]);
    let write = ErrorCode::WriteWindow;
    let to = |address, words| bytes(copy((Space::Scratchpad, 8), (Space::Memory, address), words));
    bench.refuse(write, "destination beyond the writable part", &[to(WRITABLE - 64, 9)]);
    bench.refuse(write, "destination in the image", &[to(WEIGHTS, 8)]);
    bench.refuse(write, "destination at the end of addresses", &[to(u32::MAX - 63, 8)]);
}

#[test]
fn a_program_without_end_stops_at_the_end_of_memory() {
    let copy = bytes(copy((Space::Scratchpad, 8), (Space::Scratchpad, 64), 1));
    let count = ((TOTAL - PROGRAM) as usize) / BYTES;
    let mut core = Bench::new().core(&vec![copy; count]);
    match run(&mut core, PROGRAM) {
        Err(Error::Stopped { descriptor, code, .. }) => {
            assert_eq!((descriptor, ErrorCode::from_value(code)), (count, Some(ErrorCode::ReadWindow)));
        }
        result => panic!("{result:?}"),
    }
    assert_next_run_right(&mut core, "a program without end");
}

#[test]
fn experts_that_nobody_routed_and_queues_that_overflow() {
    let bench = Bench::new();
    bench.refuse(ErrorCode::Queues, "experts without a route", &[bytes(experts())]);
    // Logits of zeros: 64 tokens to 8 of 8 experts are 512 visits, and there are 256 nodes.
    let logits = bytes(copy((Space::Memory, WEIGHTS), (Space::Scratchpad, 0), 128));
    let route = bytes(Route { tokens: 64, experts: 8, top_k: 8, ..route() });
    bench.refuse_at(ErrorCode::Queues, "too many visits", &[logits, route], 2);
}

#[test]
fn experts_outside_of_the_window_are_noticed_when_they_are_visited() {
    let bench = Bench::new();
    let logits = bytes(copy((Space::Memory, WEIGHTS), (Space::Scratchpad, 0), 4));
    let input = bytes(copy((Space::Memory, WEIGHTS), (Space::Scratchpad, 16), 8));
    let residual = bytes(copy((Space::Memory, WEIGHTS), (Space::Residual, 0), 8));
    let beyond = bytes(Experts { input: 16, weights: TOTAL - 256, ..experts() });
    bench.refuse_at(
        ErrorCode::ReadWindow,
        "the second expert",
        &[logits, input, residual, bytes(route()), beyond],
        5,
    );
}

/// The wait before the last-but-one copy is taken by another descriptor, so it has no flag of its own: legal, and
/// memory must not be read ahead of what the program writes there.
#[test]
fn a_copy_reads_what_the_program_wrote_to_memory() {
    let without_wait = |operation: Copy| Descriptor { wait: false, operation: operation.into() }.encode();
    let program = [
        bytes(copy((Space::Memory, 0), (Space::Scratchpad, 0), 32)),
        bytes(copy((Space::Scratchpad, 0), (Space::Memory, 1024), 32)),
        bytes(copy((Space::Scratchpad, 0), (Space::Residual, 0), 1)),
        without_wait(copy((Space::Memory, 1024), (Space::Scratchpad, 64), 32)),
        bytes(copy((Space::Scratchpad, 64), (Space::Memory, 2048), 32)),
        bytes(End {}),
    ];
    let mut core = Bench::new().core(&program);
    run(&mut core, PROGRAM).unwrap();
    let memory = core.memory().writable();
    assert_eq!(memory[2048..2048 + 256], memory_before()[..256]);
}
