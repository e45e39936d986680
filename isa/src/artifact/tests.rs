//! Tests of the artifact format: a small legal artifact, and everything that can be wrong with it.

mod damage;
mod headers;
mod manifests;

use super::*;
use crate::arch::ArchConfig;
use crate::descriptor::{Copy, Destination, End, Linear, Operation, Space};

/// Bytes of writable memory: the picture at 0, the answer at 64.
const WRITABLE_BYTES: u64 = 4096;
/// Packed weights of the one layer: two groups of 4 rows of 8 weights and 4 parameters.
const WEIGHT_BYTES: usize = 128;
/// Two patches of 8 values, one layer to 6 channels.
const TOKENS: u16 = 2;
const INPUTS: u16 = 8;
const OUTPUTS: u16 = 6;
/// Scratchpad word of the result; two words a token.
const RESULT: u32 = 16;

/// Loads the picture, multiplies, stores the answer.
fn descriptors() -> Vec<Descriptor> {
    let load = Copy {
        source: 0,
        destination: 0,
        words: 4,
        source_space: Space::Memory,
        destination_space: Space::Scratchpad,
    };
    let linear = Linear {
        input: 0,
        output: RESULT,
        weights: WRITABLE_BYTES as u32,
        inputs: INPUTS,
        outputs: OUTPUTS,
        tokens: TOKENS,
        sets: 1,
        destination: Destination::Tokens,
        bits: 16,
        shift: 8,
        bias_shift: 0,
        gelu_bits: 0,
    };
    let store = Copy {
        source: RESULT,
        destination: 64,
        words: 4,
        source_space: Space::Scratchpad,
        destination_space: Space::Memory,
    };
    let waiting = |operation: Operation| Descriptor { wait: true, operation };
    vec![waiting(load.into()), waiting(linear.into()), waiting(store.into()), waiting(End {}.into())]
}

/// Weights, then the program.
fn image() -> Vec<u8> {
    let weights = (0..WEIGHT_BYTES).map(|index| index as u8);
    weights.chain(descriptors().iter().flat_map(Descriptor::encode)).collect()
}

fn manifest() -> Manifest {
    let step = |label: &str, results| Step { label: label.into(), results };
    let view = TensorView {
        name: "depth.head".into(),
        space: Space::Scratchpad,
        address: RESULT,
        tokens: TOKENS.into(),
        channels: OUTPUTS.into(),
        transposed: false,
        scales: vec![0.5, 0.25],
    };
    let program = Program {
        name: "depth".into(),
        address: WRITABLE_BYTES + WEIGHT_BYTES as u64,
        steps: vec![
            step("load the picture", vec![]),
            step("head", vec![view]),
            step("store the answer", vec![]),
            step("end", vec![]),
        ],
        outputs: vec![Output {
            task: "depth".into(),
            address: 64,
            patches: 2,
            channels: 6,
            stride: 16,
            scale: 0.5,
        }],
        routing: vec![Routing {
            task: "depth".into(),
            block: 1,
            address: 128,
            tokens: 2,
            experts: 4,
            top_k: 2,
            stride: 8,
        }],
        interleaved_tasks: 1,
    };
    Manifest {
        arch: ArchConfig::tiny(),
        writable_bytes: WRITABLE_BYTES,
        input: Input { address: 0, patches: 2, values: 8 },
        programs: vec![program],
        model: serde_json::json!({ "classes": ["near", "far"], "mean": 0.1 }),
    }
}

fn artifact() -> Vec<u8> {
    assemble(&manifest(), &image()).unwrap()
}

/// An artifact of any manifest, right in every other respect.
fn artifact_of(manifest: &[u8], image: &[u8]) -> Vec<u8> {
    let header = Header { manifest_bytes: manifest.len() as u64, image_bytes: image.len() as u64 };
    let mut bytes = header.encode();
    bytes.extend_from_slice(manifest);
    bytes.resize(header.image_offset() as usize, 0);
    bytes.extend_from_slice(image);
    seal(bytes)
}

/// Corrects length and checksum, as someone who builds a hostile file would.
fn seal(mut bytes: Vec<u8>) -> Vec<u8> {
    let length = bytes.len() as u64;
    bytes[16..24].copy_from_slice(&length.to_le_bytes());
    let checksum = crc32fast::hash(&bytes[CRC_START..]);
    bytes[12..16].copy_from_slice(&checksum.to_le_bytes());
    bytes
}

/// Why bytes are refused.
#[track_caller]
fn refusal(bytes: &[u8]) -> String {
    Artifact::parse(bytes).unwrap_err().to_string()
}

#[test]
fn an_artifact_round_trips() {
    let bytes = artifact();
    let parsed = Artifact::parse(&bytes).unwrap();
    assert_eq!(parsed.manifest, manifest());
    assert_eq!(parsed.programs, [descriptors()]);
    assert_eq!(bytes[parsed.image.clone()], image());
    assert_eq!(assemble(&parsed.manifest, &bytes[parsed.image]).unwrap(), bytes);
}

#[test]
fn an_artifact_has_the_documented_layout() {
    let bytes = artifact();
    let manifest_bytes = serde_json::to_vec(&manifest()).unwrap().len();
    let long = |offset: usize| u64::from_le_bytes(bytes[offset..offset + 8].try_into().unwrap());
    assert_eq!(bytes[..8], *b"\x89EMOE\r\n\n");
    assert_eq!(bytes[8..12], [1, 0, 0, 0]);
    assert_eq!(bytes[12..16], crc32fast::hash(&bytes[16..]).to_le_bytes());
    assert_eq!([long(16), long(24), long(32)], [4096 + 384, manifest_bytes as u64, 384]);
    assert!(bytes[40..64].iter().chain(&bytes[64 + manifest_bytes..4096]).all(|&byte| byte == 0));
    assert_eq!(bytes[4096..], image());
}

#[test]
fn nothing_illegal_is_assembled() {
    let mut short = manifest();
    short.programs[0].steps.pop();
    let error = assemble(&short, &image()).unwrap_err().to_string();
    assert_eq!(error, "program `depth`, descriptor 2: a program has exactly one `end`, its last descriptor");
    let mut silent = manifest();
    silent.programs[0].outputs[0].scale = f64::NAN;
    let error = assemble(&silent, &image()).unwrap_err().to_string();
    assert_eq!(error, "has an impossible manifest: output of `depth`: scale NaN is not a positive number");
}
