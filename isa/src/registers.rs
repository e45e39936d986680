//! Registers: how a host controls a device, over AXI4-Lite.
//!
//! Registers are 32 bits wide, little-endian, at multiples of four bytes. The
//! definitions below are the only ones: RTL, drivers and `docs/registers.md`
//! are generated from them.

use crate::arch::ArchConfig;
use crate::descriptor::joined;

/// What [`Register::Magic`] reads: the bytes `EMOE`.
pub const MAGIC: u32 = u32::from_le_bytes(*b"EMOE");

/// Bytes of the register file; what lies beyond the last register reads as zero.
pub const BYTES: u32 = 1 << 12;

/// What [`Register::Timeout`] holds after reset.
pub const DEFAULT_TIMEOUT: u32 = 1 << 20;

/// Who may write a register.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Access {
    /// The device alone; writes are ignored.
    ReadOnly,
    /// The host; ignored while a program runs.
    ReadWrite,
    /// Each bit written as one does something; see the register.
    Command,
}

impl Access {
    /// Name in the documentation.
    pub fn name(self) -> &'static str {
        match self {
            Self::ReadOnly => "read",
            Self::ReadWrite => "read, write",
            Self::Command => "command",
        }
    }
}

/// Offset, access and meaning of a register.
#[derive(Clone, Copy, Debug)]
pub struct RegisterLayout {
    /// The register.
    pub register: Register,
    /// Name.
    pub name: &'static str,
    /// Byte offset.
    pub offset: u32,
    /// Who may write it.
    pub access: Access,
    /// Meaning.
    pub doc: &'static str,
}

macro_rules! registers {
    ($( $(#[doc = $doc:literal])* $name:ident $text:literal = $offset:literal $access:ident, )*) => {
        /// A register; its value is its byte offset.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
        #[repr(u32)]
        pub enum Register {
            $( $(#[doc = $doc])* $name = $offset, )*
        }

        /// All registers, in order of offset.
        pub const REGISTERS: &[RegisterLayout] = &[$( RegisterLayout {
            register: Register::$name,
            name: $text,
            offset: $offset,
            access: Access::$access,
            doc: concat!($($doc, "\n"),*),
        }, )*];
    };
}

registers! {
    /// The bytes `EMOE`.
    Magic "magic" = 0x000 ReadOnly,
    /// Interface version.
    Version "version" = 0x004 ReadOnly,
    /// Lanes P.
    Lanes "lanes" = 0x010 ReadOnly,
    /// Multipliers of a lane V.
    Vector "vector" = 0x014 ReadOnly,
    /// Words of the scratchpad.
    ScratchpadWords "scratchpad_words" = 0x018 ReadOnly,
    /// Words of the residual memory.
    ResidualWords "residual_words" = 0x01c ReadOnly,
    /// Words of each of a lane's two row banks.
    BankWords "bank_words" = 0x020 ReadOnly,
    /// Most tokens of one set.
    MaxTokens "max_tokens" = 0x024 ReadOnly,
    /// Most experts of one layer.
    MaxExperts "max_experts" = 0x028 ReadOnly,
    /// Nodes of the token queues.
    QueueNodes "queue_nodes" = 0x02c ReadOnly,
    /// Values that LayerNorm normalises in a beat.
    NormWidth "norm_width" = 0x030 ReadOnly,
    /// Results that the epilogue takes in a beat.
    EpilogueWidth "epilogue_width" = 0x034 ReadOnly,
    /// Bytes that one memory port moves in a beat.
    MemoryBytes "memory_bytes" = 0x038 ReadOnly,
    /// Memory ports.
    MemoryPorts "memory_ports" = 0x03c ReadOnly,
    /// Row words that memory may run ahead of the lanes.
    StreamEntries "stream_entries" = 0x040 ReadOnly,
    /// Bit 0 starts the program at `program`; bit 1 abandons the one that runs. Reads as zero.
    Control "control" = 0x050 Command,
    /// Bit 0: a program runs. Bit 1: it reached `end`. Bit 2: it stopped with `error`. Bit 3: a start
    /// was refused because a program ran, or because memory still owed answers to one that stopped.
    /// Writing ones to bits 1 to 3 clears them; a start clears them all.
    Status "status" = 0x054 Command,
    /// Why the last program stopped: see the error codes.
    Error "error" = 0x058 ReadOnly,
    /// Index of the descriptor that `error` speaks of.
    ErrorDescriptor "error_descriptor" = 0x05c ReadOnly,
    /// Bit 0 (`serialise`): a descriptor starts only when all results of the one before are written.
    /// Bit 1: interrupt while `status` has bit 1 or bit 2.
    Mode "mode" = 0x060 ReadWrite,
    /// Address on the bus of address 0 of device memory, low half; a multiple of 4096.
    BaseLow "base_low" = 0x064 ReadWrite,
    /// High half: bits 39 to 32.
    BaseHigh "base_high" = 0x068 ReadWrite,
    /// End of the writable part of device memory: the program writes below it only.
    WritableBytes "writable_bytes" = 0x06c ReadWrite,
    /// End of device memory: the program reads below it only.
    TotalBytes "total_bytes" = 0x070 ReadWrite,
    /// Address of the first descriptor in device memory.
    Program "program" = 0x074 ReadWrite,
    /// Cycles without any progress after which a program stops with `timeout`.
    Timeout "timeout" = 0x078 ReadWrite,
    /// Index of the descriptor that was started last.
    Descriptor "descriptor" = 0x07c ReadOnly,
    /// Cycles of the program, from its start to its end.
    Cycles "cycles" = 0x080 ReadOnly,
    /// Of these, cycles in which the lanes multiplied.
    Beats "beats" = 0x084 ReadOnly,
    /// Waiting for weights, parameters or data from memory.
    StallRows "stall_rows" = 0x088 ReadOnly,
    /// Waiting for room behind the lanes: drain, epilogue, residual memory.
    StallResults "stall_results" = 0x08c ReadOnly,
    /// Attention waiting for its queries or for softmax.
    StallAttention "stall_attention" = 0x090 ReadOnly,
    /// Waiting for LayerNorm.
    StallNorm "stall_norm" = 0x094 ReadOnly,
    /// Waiting for the router.
    StallRoute "stall_route" = 0x098 ReadOnly,
    /// Waiting for a copy, or for memory to confirm what was written.
    StallCopy "stall_copy" = 0x09c ReadOnly,
    /// Waiting for the last results of a descriptor before one that needs them.
    StallSettle "stall_settle" = 0x0a0 ReadOnly,
    /// Waiting for a descriptor.
    StallFetch "stall_fetch" = 0x0a4 ReadOnly,
    /// Bus beats read, over all ports.
    ReadBeats "read_beats" = 0x0a8 ReadOnly,
    /// Bus beats written.
    WriteBeats "write_beats" = 0x0ac ReadOnly,
}

impl Register {
    /// Byte offset.
    pub fn offset(self) -> u32 {
        self as u32
    }

    /// Its definition.
    pub fn layout(self) -> &'static RegisterLayout {
        let of_it = |layout: &&RegisterLayout| layout.register == self;
        REGISTERS.iter().find(of_it).expect("every register is defined")
    }
}

/// Registers that never change.
pub const CONSTANTS: usize = 15;

/// What the registers that never change hold in a device of these sizes: a host compares them before it
/// uses a device.
pub fn constants(arch: &ArchConfig) -> [(Register, u32); CONSTANTS] {
    [
        (Register::Magic, MAGIC),
        (Register::Version, crate::INTERFACE_VERSION),
        (Register::Lanes, arch.lanes),
        (Register::Vector, arch.vector),
        (Register::ScratchpadWords, arch.scratchpad_words),
        (Register::ResidualWords, arch.residual_words),
        (Register::BankWords, arch.bank_words),
        (Register::MaxTokens, arch.max_tokens),
        (Register::MaxExperts, arch.max_experts),
        (Register::QueueNodes, arch.queue_nodes),
        (Register::NormWidth, arch.norm_width),
        (Register::EpilogueWidth, arch.epilogue_width),
        (Register::MemoryBytes, arch.memory_bytes),
        (Register::MemoryPorts, arch.memory_ports),
        (Register::StreamEntries, arch.stream_entries),
    ]
}

/// Bits of [`Register::Control`].
pub mod control {
    /// Starts the program.
    pub const START: u32 = 1 << 0;
    /// Abandons the program that runs.
    pub const STOP: u32 = 1 << 1;
}

/// Bits of [`Register::Status`].
pub mod status {
    /// A program runs.
    pub const BUSY: u32 = 1 << 0;
    /// It reached `end`.
    pub const DONE: u32 = 1 << 1;
    /// It stopped with an error.
    pub const ERROR: u32 = 1 << 2;
    /// A start was refused.
    pub const REFUSED: u32 = 1 << 3;
}

/// Bits of [`Register::Mode`].
pub mod mode {
    /// One descriptor at a time.
    pub const SERIALISE: u32 = 1 << 0;
    /// Interrupt at the end.
    pub const INTERRUPT: u32 = 1 << 1;
}

macro_rules! codes {
    ($(#[doc = $type_doc:literal])* $type:ident { $( $(#[doc = $doc:literal])* $name:ident $text:literal = $value:literal, )* }) => {
        $(#[doc = $type_doc])*
        #[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
        #[repr(u8)]
        pub enum $type {
            $( $(#[doc = $doc])* $name = $value, )*
        }

        impl $type {
            /// All of them, in order of their values.
            pub const ALL: &[Self] = &[$( Self::$name, )*];

            /// Name.
            pub fn name(self) -> &'static str {
                match self { $( Self::$name => $text, )* }
            }

            /// Meaning.
            pub fn doc(self) -> &'static str {
                match self { $( Self::$name => concat!($($doc, "\n"),*), )* }
            }

            /// The one with that value.
            pub fn from_value(value: u32) -> Option<Self> {
                Self::ALL.iter().copied().find(|code| *code as u32 == value)
            }
        }
    };
}

codes! {
    /// Why a program stopped: values of [`Register::Error`] other than zero.
    ErrorCode {
        /// No operation has this opcode.
        Opcode "opcode" = 1,
        /// An operand is out of range.
        Operand "operand" = 2,
        /// A read outside of device memory.
        ReadWindow "read_window" = 3,
        /// A write outside of the writable part of device memory.
        WriteWindow "write_window" = 4,
        /// Memory answered a read with an error.
        ReadResponse "read_response" = 5,
        /// Memory answered a write with an error.
        WriteResponse "write_response" = 6,
        /// Nothing moved for as many cycles as `timeout` says.
        Timeout "timeout" = 7,
        /// Token queues overflowed, or experts ran without a route before them.
        Queues "queues" = 8,
        /// The host abandoned the program.
        Stopped "stopped" = 9,
    }
}

codes! {
    /// What the lanes do in a cycle, or what they wait for.
    Activity {
        /// They multiply.
        Beat "beats" = 0,
        /// Weights, parameters or data from memory.
        Rows "rows" = 1,
        /// Room behind the lanes.
        Results "results" = 2,
        /// Queries or softmax.
        Attention "attention" = 3,
        /// LayerNorm.
        Norm "norm" = 4,
        /// The router.
        Route "route" = 5,
        /// A copy, or memory's confirmation of a write.
        Copy "copy" = 6,
        /// The last results of an earlier descriptor.
        Settle "settle" = 7,
        /// A descriptor.
        Fetch "fetch" = 8,
    }
}

/// Name and meaning of a value of [`Register::Error`], in one line.
pub fn error_text(code: u32) -> String {
    let Some(code) = ErrorCode::from_value(code) else { return "no error has this code".into() };
    format!("{}: {}", code.name(), joined(code.doc()))
}

impl Activity {
    /// The register that counts its cycles.
    pub fn counter(self) -> Register {
        match self {
            Self::Beat => Register::Beats,
            Self::Rows => Register::StallRows,
            Self::Results => Register::StallResults,
            Self::Attention => Register::StallAttention,
            Self::Norm => Register::StallNorm,
            Self::Route => Register::StallRoute,
            Self::Copy => Register::StallCopy,
            Self::Settle => Register::StallSettle,
            Self::Fetch => Register::StallFetch,
        }
    }
}

/// The registers as a table of `docs/registers.md`.
pub fn registers_markdown() -> String {
    let row = |layout: &RegisterLayout| {
        let RegisterLayout { name, offset, access, doc, .. } = layout;
        format!("| 0x{offset:03x} | `{name}` | {} | {} |\n", access.name(), joined(doc))
    };
    let rows: String = REGISTERS.iter().map(row).collect();
    format!("| offset | register | access | meaning |\n|---:|---|---|---|\n{rows}")
}

/// The error codes as a table of `docs/registers.md`.
pub fn errors_markdown() -> String {
    let row =
        |code: &ErrorCode| format!("| {} | `{}` | {} |\n", *code as u32, code.name(), joined(code.doc()));
    let rows: String = ErrorCode::ALL.iter().map(row).collect();
    format!("| `error` | name | meaning |\n|---:|---|---|\n{rows}")
}

/// The activities, with the registers that count them, as a table of `docs/registers.md`.
pub fn activities_markdown() -> String {
    let row = |activity: &Activity| {
        let (value, counter) = (*activity as u32, activity.counter().layout().name);
        format!("| {value} | `{}` | {} | `{counter}` |\n", activity.name(), joined(activity.doc()))
    };
    let rows: String = Activity::ALL.iter().map(row).collect();
    format!("| activity | name | what the lanes do or wait for | counter |\n|---:|---|---|---|\n{rows}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn registers_are_words_in_ascending_order() {
        let offsets: Vec<u32> = REGISTERS.iter().map(|layout| layout.offset).collect();
        assert!(offsets.iter().all(|offset| offset % 4 == 0 && *offset < BYTES));
        assert!(offsets.is_sorted_by(|a, b| a < b));
    }

    #[test]
    fn codes_are_found_by_value() {
        assert_eq!(ErrorCode::from_value(7), Some(ErrorCode::Timeout));
        assert_eq!(ErrorCode::from_value(0), None);
        assert_eq!(Activity::from_value(0), Some(Activity::Beat));
    }
}
