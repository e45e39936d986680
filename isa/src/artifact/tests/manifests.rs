//! Manifests that lie, in files with the right checksum.

use super::*;
use serde_json::{Value, json};

/// The legal artifact with one value of its manifest replaced.
fn with_value(pointer: &str, value: Value) -> Vec<u8> {
    let mut manifest = serde_json::to_value(manifest()).unwrap();
    *manifest.pointer_mut(pointer).expect("pointer names a value") = value;
    artifact_of(manifest.to_string().as_bytes(), &image())
}

/// The legal artifact with a piece of the text of its manifest replaced.
fn with_text(from: &str, to: &str) -> Vec<u8> {
    let text = serde_json::to_string(&manifest()).unwrap();
    assert!(text.contains(from), "{text}");
    artifact_of(text.replacen(from, to, 1).as_bytes(), &image())
}

#[track_caller]
fn assert_impossible(pointer: &str, value: Value, reason: &str) {
    let expected = format!("has an impossible manifest: {reason}");
    assert_eq!(refusal(&with_value(pointer, value)), expected);
}

#[track_caller]
fn assert_unreadable(bytes: &[u8], reason: &str) {
    let refusal = refusal(bytes);
    assert!(refusal.starts_with(&format!("has an unreadable manifest: {reason}")), "{refusal}");
}

#[test]
fn the_helpers_leave_a_legal_artifact_legal() {
    Artifact::parse(&with_value("/input/address", json!(0))).unwrap();
    Artifact::parse(&with_text("depth", "depth")).unwrap();
}

#[test]
fn the_device_must_be_possible() {
    assert_impossible("/arch/vector", json!(0), "architecture `tiny`: vector is 0, allowed are 1 to 128");
    assert_impossible("/arch/lanes", json!(0), "architecture `tiny`: lanes is 0, allowed are 1 to 256");
    assert_impossible(
        "/arch/scratchpad_words",
        json!(1 << 24),
        "architecture `tiny`: scratchpad of 67108864 values exceeds 16777216",
    );
    assert_impossible(
        "/arch/residual_words",
        json!(u32::MAX),
        "architecture `tiny`: residual_words is 4294967295, allowed are 1 to 16777216",
    );
}

#[test]
fn the_writable_part_is_bounded_and_aligned() {
    let limits = "must be a multiple of 64 up to 268435456";
    for bytes in [4095, (1 << 28) + 64, 1 << 40, u64::MAX] {
        assert_impossible("/writable_bytes", json!(bytes), &format!("{bytes} writable bytes, {limits}"));
    }
}

#[test]
fn an_image_fits_32_bit_addresses() {
    let check = |image_bytes| manifest().check(image_bytes).map_err(|error| error.to_string());
    assert_eq!(check((1 << 32) - WRITABLE_BYTES), Ok(()));
    for image_bytes in [(1 << 32) - WRITABLE_BYTES + 1, u64::MAX] {
        let expected = format!("image of {image_bytes} bytes exceeds 4294967296 bytes of memory");
        assert_eq!(check(image_bytes), Err(expected));
    }
}

#[test]
fn the_input_lies_in_the_writable_part() {
    assert_impossible("/input/address", json!(4065), "input: 32 bytes at 4065, writable memory ends at 4096");
    let reason = "input: 32 bytes at 18446744073709551615, writable memory ends at 4096";
    assert_impossible("/input/address", json!(u64::MAX), reason);
    assert_impossible("/input/patches", json!(0), "input: 0 rows of 8 values every 16 bytes");
    assert_impossible("/input/values", json!(0), "input: 2 rows of 0 values every 0 bytes");
    let reason = "input: 68719476720 bytes at 0, writable memory ends at 4096";
    assert_impossible("/input/patches", json!(u32::MAX), reason);
    // 2 · (2^32 − 1)² bytes do not fit 64 bits.
    let huge = json!({ "address": 0, "patches": u32::MAX, "values": u32::MAX });
    let reason = "input: 18446744073709551615 bytes at 0, writable memory ends at 4096";
    assert_impossible("/input", huge, reason);
}

#[test]
fn a_program_lies_in_the_image_and_is_aligned() {
    assert_impossible("/programs", json!([]), "0 programs, allowed are 1 to 64");
    let program = serde_json::to_value(&manifest().programs[0]).unwrap();
    let name = program["name"].as_str().unwrap();
    let twice = json!([program, program]);
    assert_impossible("/programs", twice, &format!("two programs are called `{name}`"));
    assert_impossible("/programs", json!(vec![program; 65]), "65 programs, allowed are 1 to 64");
    for address in [0, 4096 - 64, 4225, 4224 + 64, u64::MAX, u64::MAX - 63] {
        let reason = format!("program `depth`: 4 descriptors at {address}, image is 4096..4480");
        assert_impossible("/programs/0/address", json!(address), &reason);
    }
    let weights = refusal(&with_value("/programs/0/address", json!(4096)));
    assert_eq!(weights, "program `depth`, descriptor 0: reserved byte 2 is 0x02, must be 0");
}

#[test]
fn a_program_has_as_many_steps_as_descriptors() {
    let step = json!({ "label": "more", "results": [] });
    let steps = |count: usize| json!(vec![step.clone(); count]);
    let steps_pointer = "/programs/0/steps";
    let reason = "program `depth`: 5 descriptors at 4224, image is 4096..4480";
    assert_impossible(steps_pointer, steps(5), reason);
    let reason = "program `depth`: 4097 descriptors at 4224, image is 4096..4480";
    assert_impossible(steps_pointer, steps(4097), reason);
    assert_eq!(
        refusal(&with_value(steps_pointer, steps(3))),
        "program `depth`, descriptor 2: a program has exactly one `end`, its last descriptor"
    );
    assert_eq!(
        refusal(&with_value(steps_pointer, steps(0))),
        "program `depth`, descriptor 0: a program of 0 bytes is not 1 to 4096 descriptors of 64"
    );
}

#[test]
fn too_many_steps_are_refused_however_long_the_image_is() {
    let mut manifest = serde_json::to_value(manifest()).unwrap();
    let step = json!({ "label": "", "results": [] });
    manifest["programs"][0]["steps"] = json!(vec![step; 4097]);
    let image = vec![0; WEIGHT_BYTES + 4097 * BYTES];
    let bytes = artifact_of(manifest.to_string().as_bytes(), &image);
    let reason = "program `depth`: 4097 descriptors at 4224, image is 4096..266432";
    assert_eq!(refusal(&bytes), format!("has an impossible manifest: {reason}"));
}

#[test]
fn the_program_fits_the_device_of_the_manifest() {
    let shallow = with_value("/arch/scratchpad_words", json!(20));
    assert!(Artifact::parse(&shallow).is_ok());
    let reason = "has an impossible manifest: tensor `depth.head`: 4 words at 16 in scratchpad of 19";
    assert_eq!(refusal(&with_value("/arch/scratchpad_words", json!(19))), reason);
    let reason = "program `depth`, descriptor 1: inputs is 8, allowed are 4 to 4";
    assert_eq!(refusal(&with_value("/arch/bank_words", json!(1))), reason);
}

#[test]
fn a_program_answers_a_task() {
    assert_impossible("/programs/0/outputs", json!([]), "program `depth` answers no task");
    assert_impossible("/programs/0/interleaved_tasks", json!(0), "program `depth` answers no task");
}

#[test]
fn outputs_lie_in_the_writable_part() {
    let output = |field: &str| format!("/programs/0/outputs/0/{field}");
    let reason = "output of `depth`: 32 bytes at 4080, writable memory ends at 4096";
    assert_impossible(&output("address"), json!(4080), reason);
    let reason = "output of `depth`: 32 bytes at 18446744073709551615, writable memory ends at 4096";
    assert_impossible(&output("address"), json!(u64::MAX), reason);
    let reason = "output of `depth`: 2 rows of 0 values every 16 bytes";
    assert_impossible(&output("channels"), json!(0), reason);
    let reason = "output of `depth`: 0 rows of 6 values every 16 bytes";
    assert_impossible(&output("patches"), json!(0), reason);
    let reason = "output of `depth`: 2 rows of 6 values every 11 bytes";
    assert_impossible(&output("stride"), json!(11), reason);
    let reason = "output of `depth`: 8589934590 bytes at 64, writable memory ends at 4096";
    assert_impossible(&output("stride"), json!(u32::MAX), reason);
}

#[test]
fn scales_are_positive_numbers() {
    for (pointer, what) in [
        ("/programs/0/outputs/0/scale", "output of `depth`"),
        ("/programs/0/steps/1/results/0/scales/1", "depth.head"),
    ] {
        for scale in [json!(0.0), json!(-0.0), json!(-0.5)] {
            let shown: f64 = scale.as_f64().unwrap();
            let reason = format!("{what}: scale {shown} is not a positive number");
            assert_impossible(pointer, scale, &reason);
        }
        assert_unreadable(&with_value(pointer, Value::Null), "invalid type: null, expected f64");
        assert_unreadable(&with_value(pointer, json!("NaN")), "invalid type: string \"NaN\", expected f64");
    }
    assert_unreadable(&with_text("\"scale\":0.5", "\"scale\":1e400"), "number out of range");
    assert_unreadable(&with_text("\"scale\":0.5", "\"scale\":NaN"), "expected value");
}

#[test]
fn routing_lies_in_the_writable_part_and_chooses() {
    let routing = |field: &str| format!("/programs/0/routing/0/{field}");
    let what = "routing of `depth` in block 1";
    let reason = format!("{what}: 16 bytes at 4088, writable memory ends at 4096");
    assert_impossible(&routing("address"), json!(4088), &reason);
    assert_impossible(&routing("tokens"), json!(0), &format!("{what}: 0 rows of 4 values every 8 bytes"));
    assert_impossible(&routing("experts"), json!(5), &format!("{what}: 2 rows of 5 values every 8 bytes"));
    assert_impossible(&routing("top_k"), json!(0), &format!("{what}: top 0 of 4 experts"));
    assert_impossible(&routing("top_k"), json!(5), &format!("{what}: top 5 of 4 experts"));
}

#[test]
fn tensors_lie_in_their_memory() {
    let view = |field: &str| format!("/programs/0/steps/1/results/0/{field}");
    let what = "tensor `depth.head`";
    assert_impossible(
        &view("address"),
        json!(4093),
        &format!("{what}: 4 words at 4093 in scratchpad of 4096"),
    );
    let huge = json!({
        "name": "depth.head", "space": "residual", "address": u32::MAX, "tokens": u32::MAX,
        "channels": u32::MAX, "transposed": true, "scales": [1.0],
    });
    let reason = format!("{what}: 4611686017353646080 words at 4294967295 in residual of 1024");
    assert_impossible("/programs/0/steps/1/results/0", huge, &reason);
    assert_impossible(&view("space"), json!("memory"), &format!("{what} in memory cannot be looked at"));
    assert_impossible(&view("channels"), json!(0), &format!("{what}: 2 tokens of 0 channels"));
    assert_impossible(&view("tokens"), json!(0), &format!("{what}: 0 tokens of 6 channels"));
    assert_impossible(&view("scales"), json!([]), &format!("{what}: 0 scales for 6 channels"));
    assert_impossible(&view("scales"), json!([1, 1, 1, 1]), &format!("{what}: 4 scales for 6 channels"));
}

#[test]
fn a_transposed_tensor_has_padded_tokens() {
    // 6 channels of ceil(2/4) words instead of 2 tokens of ceil(6/4).
    let mut manifest = manifest();
    let view = &mut manifest.programs[0].steps[1].results[0];
    (view.address, view.transposed) = (4090, true);
    manifest.check(384).unwrap();
    manifest.programs[0].steps[1].results[0].address = 4091;
    let error = manifest.check(384).unwrap_err().to_string();
    assert_eq!(error, "tensor `depth.head`: 6 words at 4091 in scratchpad of 4096");
}

#[test]
fn fields_are_exactly_those_of_this_version() {
    assert_unreadable(
        &with_text("\"writable_bytes\"", "\"writeable_bytes\""),
        "unknown field `writeable_bytes`",
    );
    assert_unreadable(&with_text("\"lanes\":4", "\"lanes\":4,\"turbo\":1"), "unknown field `turbo`");
    assert_unreadable(&with_text("\"lanes\":4,", ""), "missing field `lanes`");
    assert_unreadable(&with_text(",\"interleaved_tasks\":1", ""), "missing field `interleaved_tasks`");
    assert_unreadable(&with_text("\"lanes\":4", "\"lanes\":4,\"lanes\":8"), "duplicate field `lanes`");
    assert_unreadable(&with_text("\"scratchpad\"", "\"dram\""), "unknown variant `dram`");
}

#[test]
fn numbers_have_their_type() {
    assert_unreadable(&with_text("\"lanes\":4", "\"lanes\":-4"), "invalid value: integer `-4`, expected u32");
    assert_unreadable(&with_text("\"lanes\":4", "\"lanes\":4.5"), "invalid type: floating point `4.5`");
    let beyond = with_text("\"lanes\":4", "\"lanes\":4294967296");
    assert_unreadable(&beyond, "invalid value: integer `4294967296`, expected u32");
    let beyond = with_text("\"writable_bytes\":4096", "\"writable_bytes\":18446744073709551616");
    assert_unreadable(&beyond, "invalid type: floating point");
}

#[test]
fn a_manifest_is_json_of_bounded_depth() {
    assert_unreadable(&artifact_of(b"{", &image()), "EOF while parsing an object");
    assert_unreadable(&artifact_of(b"[]", &image()), "invalid length 0, expected struct Manifest");
    let deep = format!("{}0{}", "[".repeat(100_000), "]".repeat(100_000));
    let text = serde_json::to_string(&manifest()).unwrap();
    let text = text.replacen("{\"classes\"", &format!("{{\"deep\":{deep},\"classes\""), 1);
    assert_unreadable(&artifact_of(text.as_bytes(), &image()), "recursion limit exceeded");
}

#[test]
fn a_manifest_is_utf8() {
    let mut text = serde_json::to_vec(&manifest()).unwrap();
    let name = text.windows(4).position(|bytes| bytes == b"tiny").unwrap();
    text[name] = 0xff;
    assert_unreadable(&artifact_of(&text, &image()), "invalid unicode code point");
}
