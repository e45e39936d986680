//! Descriptors: what the device executes, one after another.
//!
//! A descriptor is [`BYTES`] bytes, little-endian. Byte 0 is the opcode, bit 0
//! of byte 1 the *wait* flag; every byte that no field covers is zero. The
//! definitions below are the only ones: encoder, decoder, listing and
//! `docs/program.md` are generated from them.

use thiserror::Error;

/// Bytes of a descriptor.
pub const BYTES: usize = 64;

const OPCODE_BYTE: usize = 0;
const FLAGS_BYTE: usize = 1;
const FLAG_WAIT: u8 = 1;

/// Why bytes are not a descriptor.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub enum DecodeError {
    /// No operation has this opcode.
    #[error("unknown opcode {0}")]
    Opcode(u8),
    /// A field holds a value that means nothing.
    #[error("field `{field}` holds {value}, which has no meaning")]
    Field {
        /// Name of the field.
        field: &'static str,
        /// Value found.
        value: u64,
    },
    /// A byte that must be zero is not.
    #[error("reserved byte {offset} is {value:#04x}, must be 0")]
    Reserved {
        /// Offset of the byte in the descriptor.
        offset: usize,
        /// Value found.
        value: u8,
    },
}

/// Where a field stands and what it means.
#[derive(Clone, Copy, Debug)]
pub struct Field {
    /// Name.
    pub name: &'static str,
    /// Offset of its first byte.
    pub offset: usize,
    /// Size in bytes.
    pub bytes: usize,
    /// Meaning.
    pub doc: &'static str,
}

/// Name, opcode and fields of an operation.
#[derive(Clone, Copy, Debug)]
pub struct Layout {
    /// Name of the operation.
    pub name: &'static str,
    /// Its opcode.
    pub opcode: u8,
    /// What it does.
    pub doc: &'static str,
    /// Its fields in order of offset.
    pub fields: &'static [Field],
}

/// A value that a field can hold.
trait FieldValue: Sized {
    const BYTES: usize;
    fn to_bits(self) -> u64;
    fn from_bits(bits: u64) -> Option<Self>;
}

macro_rules! integer_fields {
    ($($type:ty),*) => { $(
        impl FieldValue for $type {
            const BYTES: usize = size_of::<$type>();
            fn to_bits(self) -> u64 {
                u64::from(self)
            }
            fn from_bits(bits: u64) -> Option<Self> {
                <$type>::try_from(bits).ok()
            }
        }
    )* };
}
integer_fields!(u8, u16, u32, u64);

macro_rules! enum_field {
    ($(#[doc = $doc:literal])* $name:ident { $($(#[doc = $variant_doc:literal])* $variant:ident = $value:literal $text:literal),* $(,)? }) => {
        $(#[doc = $doc])*
        #[derive(Clone, Copy, Debug, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
        #[serde(rename_all = "snake_case")]
        pub enum $name {
            $($(#[doc = $variant_doc])* $variant = $value,)*
        }

        impl std::fmt::Display for $name {
            fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                f.write_str(match self { $(Self::$variant => $text,)* })
            }
        }

        impl FieldValue for $name {
            const BYTES: usize = 1;
            fn to_bits(self) -> u64 {
                self as u64
            }
            fn from_bits(bits: u64) -> Option<Self> {
                match bits { $($value => Some(Self::$variant),)* _ => None }
            }
        }
    };
}

enum_field! {
    /// A memory that a descriptor can address.
    Space {
        /// DRAM; addresses are bytes, multiples of 64.
        Memory = 0 "memory",
        /// Activations on the chip; addresses are words.
        Scratchpad = 1 "scratchpad",
        /// The residual stream on the chip; addresses are words.
        Residual = 2 "residual",
    }
}

enum_field! {
    /// Where and in which order a linear layer leaves its results.
    Destination {
        /// Scratchpad, token-major: ceil(N/V) words a token.
        Tokens = 0 "tokens",
        /// Scratchpad, channel-major per set: ceil(T/V) words a channel, zero-padded.
        Channels = 1 "channels",
        /// Added to the residual memory, token-major, saturating.
        Residual = 2 "residual",
    }
}

macro_rules! descriptors {
    ($(
        $(#[doc = $doc:literal])*
        $name:ident $text:literal = $opcode:literal {
            $( $(#[doc = $field_doc:literal])* $field:ident: $type:ty = $offset:literal, )*
        }
    )*) => {
        $(
            $(#[doc = $doc])*
            #[derive(Clone, Copy, Debug, PartialEq, Eq)]
            pub struct $name {
                $( $(#[doc = $field_doc])* pub $field: $type, )*
            }

            impl $name {
                const LAYOUT: Layout = Layout {
                    name: $text,
                    opcode: $opcode,
                    doc: concat!($($doc, "\n"),*),
                    fields: &[$( Field {
                        name: stringify!($field),
                        offset: $offset,
                        bytes: <$type as FieldValue>::BYTES,
                        doc: concat!($($field_doc),*),
                    }, )*],
                };

                #[allow(unused_variables, reason = "`end` has no fields")]
                fn encode(&self, bytes: &mut [u8; BYTES]) {
                    $( put(bytes, $offset, <$type as FieldValue>::BYTES, self.$field.to_bits()); )*
                }

                #[allow(unused_variables, reason = "`end` has no fields")]
                fn decode(bytes: &[u8; BYTES]) -> Result<Self, DecodeError> {
                    Ok(Self { $( $field: field(bytes, stringify!($field), $offset)?, )* })
                }

                fn values(&self) -> Vec<(&'static str, String)> {
                    vec![$( (stringify!($field), self.$field.to_string()), )*]
                }
            }
        )*

        /// One operation with its operands.
        #[derive(Clone, Copy, Debug, PartialEq, Eq)]
        pub enum Operation {
            $( $(#[doc = $doc])* $name($name), )*
        }

        /// The layouts of all operations, in order of opcode.
        pub const LAYOUTS: &[Layout] = &[$( $name::LAYOUT, )*];

        impl Operation {
            /// Name, opcode and fields of this operation.
            pub fn layout(&self) -> &'static Layout {
                match self { $( Self::$name(_) => &$name::LAYOUT, )* }
            }

            /// Names and values of the fields, in order of offset.
            pub fn values(&self) -> Vec<(&'static str, String)> {
                match self { $( Self::$name(operation) => operation.values(), )* }
            }

            fn encode(&self, bytes: &mut [u8; BYTES]) {
                match self { $( Self::$name(operation) => operation.encode(bytes), )* }
            }

            fn decode(bytes: &[u8; BYTES]) -> Result<Self, DecodeError> {
                match bytes[OPCODE_BYTE] {
                    $( $opcode => $name::decode(bytes).map(Self::$name), )*
                    opcode => Err(DecodeError::Opcode(opcode)),
                }
            }
        }

        $(
            impl From<$name> for Operation {
                fn from(operation: $name) -> Self {
                    Self::$name(operation)
                }
            }
        )*
    };
}

descriptors! {
    /// Ends the program; the results are in memory.
    End "end" = 0 {}

    /// `y = requantise(W·x + b)` for every token of every set, then GELU if asked for.
    ///
    /// Row groups of P output channels are loaded one after another; each sees all tokens.
    Linear "linear" = 1 {
        /// First scratchpad word of the input, K/V words a token, sets one after another.
        input: u32 = 4,
        /// First word of the result: scratchpad or residual, by `destination`.
        output: u32 = 8,
        /// Memory address of the packed row groups.
        weights: u32 = 12,
        /// Input channels K, a multiple of V.
        inputs: u16 = 16,
        /// Output channels N.
        outputs: u16 = 18,
        /// Tokens of one set, T.
        tokens: u16 = 20,
        /// Number of sets.
        sets: u8 = 22,
        /// 0 tokens, 1 channels (transposed), 2 residual (accumulate).
        destination: Destination = 23,
        /// Bits of a result: 16, or 9 for queries.
        bits: u8 = 24,
        /// Requantise shift s, 1…47.
        shift: u8 = 25,
        /// Bias shift t, 0…24.
        bias_shift: u8 = 26,
        /// Fraction bits f of a GELU after the layer, 9…13; 0 for none.
        gelu_bits: u8 = 27,
    }

    /// LayerNorm of tokens in the residual memory into the scratchpad.
    Norm "norm" = 2 {
        /// First residual word, D/V words a token.
        input: u32 = 4,
        /// First scratchpad word of the result, D/V words a token.
        output: u32 = 8,
        /// Memory address of D parameter records (gain, offset).
        parameters: u32 = 12,
        /// Channels D, a multiple of V.
        channels: u16 = 16,
        /// Tokens, over all sets.
        tokens: u16 = 18,
        /// Requantise shift s, 1…47.
        shift: u8 = 20,
        /// Offset shift t, 0…24.
        bias_shift: u8 = 21,
        /// ε · D² · 2^(2r), at least 1, at most 2^48.
        epsilon: u64 = 24,
    }

    /// Multi-head attention of every set: Q·Kᵀ, softmax, A·V.
    ///
    /// The context may overwrite the queries; no other overlap is legal.
    Attention "attention" = 3 {
        /// First scratchpad word of the queries (9 bits), token-major.
        queries: u32 = 4,
        /// First scratchpad word of the keys, token-major.
        keys: u32 = 8,
        /// First scratchpad word of the values, channel-major.
        values: u32 = 12,
        /// First scratchpad word of the context, token-major.
        context: u32 = 16,
        /// Tokens of one set, T.
        tokens: u16 = 20,
        /// Number of sets.
        sets: u8 = 22,
        /// Heads H.
        heads: u8 = 23,
        /// Channels of a head d, a multiple of V.
        head_channels: u16 = 24,
        /// Multiplier from q·k to a base-2 logit with 8 fraction bits.
        logit_multiplier: u16 = 26,
        /// Multiplier from Σp·v/Σp to a context value.
        context_multiplier: u16 = 28,
        /// Shift of the logits, 1…47.
        logit_shift: u8 = 30,
        /// Shift of the context without 1/Σp, 1…28.
        context_shift: u8 = 31,
    }

    /// Reads the gate logits of one set and appends each token to the queues of its experts.
    Route "route" = 4 {
        /// First scratchpad word of the logits, ceil(E/V) words a token.
        logits: u32 = 4,
        /// Number that the first token of the set has in the queues.
        first_token: u16 = 8,
        /// Tokens of the set.
        tokens: u16 = 10,
        /// Experts E.
        experts: u16 = 12,
        /// Experts a token visits, k.
        top_k: u8 = 14,
        /// 0: empty the queues first; 1: append to those of the route before.
        append: u8 = 15,
    }

    /// Runs every expert that has tokens, in ascending order:
    /// `residual += score · (fc2(GELU(fc1(x))))` for the tokens in its queue. Empties the queues.
    Experts "experts" = 5 {
        /// First scratchpad word of the experts' input, D/V words a token.
        input: u32 = 4,
        /// First scratchpad word of room for the hidden values, Fe/V words a token.
        hidden: u32 = 8,
        /// First residual word, D/V words a token.
        residual: u32 = 12,
        /// Memory address of expert 0: packed fc1, then packed fc2.
        weights: u32 = 16,
        /// Bytes from one expert to the next, a multiple of 64.
        stride: u32 = 20,
        /// Channels D, a multiple of V.
        channels: u16 = 24,
        /// Hidden channels Fe of one expert, a multiple of V.
        hidden_channels: u16 = 26,
        /// Experts E.
        experts: u16 = 28,
        /// Tokens over all sets: queue entries are below this.
        tokens: u16 = 30,
        /// Requantise shift s of fc1, 1…47.
        fc1_shift: u8 = 32,
        /// Bias shift t of fc1, 0…24.
        fc1_bias_shift: u8 = 33,
        /// Requantise shift s of fc2, 1…47.
        fc2_shift: u8 = 34,
        /// Bias shift t of fc2, 0…24.
        fc2_bias_shift: u8 = 35,
        /// Fraction bits f of the GELU, 9…13.
        gelu_bits: u8 = 36,
    }

    /// Copies words from one memory to another, or within one.
    Copy "copy" = 6 {
        /// First word (byte address in memory) of the source.
        source: u32 = 4,
        /// First word (byte address in memory) of the destination.
        destination: u32 = 8,
        /// Number of words.
        words: u32 = 12,
        /// 0 memory, 1 scratchpad, 2 residual.
        source_space: Space = 16,
        /// 0 memory, 1 scratchpad, 2 residual; not memory if the source is.
        destination_space: Space = 17,
    }
}

/// One step of a program.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Descriptor {
    /// All results of earlier descriptors are written before this one starts.
    pub wait: bool,
    /// What to do.
    pub operation: Operation,
}

impl Descriptor {
    /// The bytes of the descriptor.
    pub fn encode(&self) -> [u8; BYTES] {
        let mut bytes = [0; BYTES];
        bytes[OPCODE_BYTE] = self.operation.layout().opcode;
        bytes[FLAGS_BYTE] = if self.wait { FLAG_WAIT } else { 0 };
        self.operation.encode(&mut bytes);
        bytes
    }

    /// Reads a descriptor; every byte must mean something or be zero.
    pub fn decode(bytes: &[u8; BYTES]) -> Result<Self, DecodeError> {
        let operation = Operation::decode(bytes)?;
        let descriptor = Self { wait: bytes[FLAGS_BYTE] & FLAG_WAIT != 0, operation };
        let canonical = descriptor.encode();
        match (0..BYTES).find(|&offset| bytes[offset] != canonical[offset]) {
            Some(offset) => Err(DecodeError::Reserved { offset, value: bytes[offset] }),
            None => Ok(descriptor),
        }
    }
}

impl std::fmt::Display for Descriptor {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let wait = if self.wait { "*" } else { " " };
        write!(f, "{wait}{:<9}", self.operation.layout().name)?;
        for (name, value) in self.operation.values() {
            write!(f, " {name}={value}")?;
        }
        Ok(())
    }
}

fn put(bytes: &mut [u8; BYTES], offset: usize, size: usize, bits: u64) {
    bytes[offset..offset + size].copy_from_slice(&bits.to_le_bytes()[..size]);
}

fn field<T: FieldValue>(bytes: &[u8; BYTES], name: &'static str, offset: usize) -> Result<T, DecodeError> {
    let mut wide = [0; 8];
    wide[..T::BYTES].copy_from_slice(&bytes[offset..offset + T::BYTES]);
    let value = u64::from_le_bytes(wide);
    T::from_bits(value).ok_or(DecodeError::Field { field: name, value })
}

/// The descriptor pages of `docs/program.md`, generated from the definitions.
pub fn reference_markdown() -> String {
    let mut page = String::new();
    for layout in LAYOUTS {
        page += &format!("### `{}` (opcode {})\n\n", layout.name, layout.opcode);
        page += &format!("{}\n\n", joined(layout.doc));
        if layout.fields.is_empty() {
            continue;
        }
        page += "| byte | bits | field | meaning |\n|---:|---:|---|---|\n";
        for field in layout.fields {
            let meaning = joined(field.doc);
            page += &format!("| {} | {} | `{}` | {meaning} |\n", field.offset, 8 * field.bytes, field.name);
        }
        page.push('\n');
    }
    page
}

/// One paragraph of several doc comment lines.
pub(crate) fn joined(doc: &str) -> String {
    doc.lines().map(str::trim).filter(|line| !line.is_empty()).collect::<Vec<_>>().join(" ")
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn example() -> Descriptor {
        let copy = Copy {
            source: 64,
            destination: 7,
            words: 5,
            source_space: Space::Memory,
            destination_space: Space::Residual,
        };
        Descriptor { wait: true, operation: copy.into() }
    }

    #[test]
    fn a_descriptor_has_the_documented_bytes() {
        let bytes = example().encode();
        assert_eq!(bytes[..18], [6, 1, 0, 0, 64, 0, 0, 0, 7, 0, 0, 0, 5, 0, 0, 0, 0, 2]);
        assert!(bytes[18..].iter().all(|&byte| byte == 0));
        assert_eq!(Descriptor::decode(&bytes), Ok(example()));
    }

    #[test]
    fn fields_do_not_overlap_and_fit() {
        for layout in LAYOUTS {
            let mut end = 4;
            for field in layout.fields {
                assert!(field.offset >= end, "{}.{}", layout.name, field.name);
                assert_eq!(field.offset % field.bytes, 0, "{}.{} is unaligned", layout.name, field.name);
                end = field.offset + field.bytes;
            }
            assert!(end <= BYTES);
        }
    }

    #[test]
    fn meaningless_bytes_are_named() {
        let mut bytes = example().encode();
        bytes[16] = 3;
        let error = Descriptor::decode(&bytes).unwrap_err();
        assert_eq!(error.to_string(), "field `source_space` holds 3, which has no meaning");
        let mut bytes = example().encode();
        bytes[63] = 1;
        assert_eq!(
            Descriptor::decode(&bytes).unwrap_err().to_string(),
            "reserved byte 63 is 0x01, must be 0"
        );
        let mut bytes = example().encode();
        bytes[1] = 3;
        assert_eq!(Descriptor::decode(&bytes).unwrap_err().to_string(), "reserved byte 1 is 0x03, must be 0");
        let mut bytes = example().encode();
        bytes[0] = 99;
        assert_eq!(Descriptor::decode(&bytes), Err(DecodeError::Opcode(99)));
    }

    proptest! {
        /// What decodes encodes to the same bytes; what does not decode is an error.
        #[test]
        fn decoding_is_the_inverse_of_encoding(opcode in 0u8..8, rest in prop::array::uniform32(any::<u8>())) {
            let mut bytes = [0; BYTES];
            bytes[..32].copy_from_slice(&rest);
            bytes[OPCODE_BYTE] = opcode;
            bytes[FLAGS_BYTE] &= 1;
            bytes[2..4].fill(0);
            if let Ok(descriptor) = Descriptor::decode(&bytes) {
                prop_assert_eq!(descriptor.encode(), bytes);
            }
        }
    }
}
