//! The `edge-moe` command as a user meets it.

mod common;

use std::fs::File;
use std::path::{Path, PathBuf};

use assert_cmd::Command;
use common::{pictures, random_model, root, write_edge_moe_weights};
use edge_moe::draw::save_png;
use edge_moe::model::{sample_shapes, write_safetensors};
use edge_moe::picture;
use ndarray::Array2;
use ndarray_npy::NpzReader;
use serde_json::Value;
use tempfile::TempDir;

/// A directory with a small random model and pictures.
struct Bench {
    directory: TempDir,
}

impl Bench {
    fn new() -> Self {
        let bench = Self { directory: tempfile::tempdir().unwrap() };
        let model = random_model(sample_shapes::mixture(), 31);
        write_safetensors(&model, &bench.path("model.safetensors")).unwrap();
        std::fs::create_dir(bench.path("pictures")).unwrap();
        for (index, picture) in pictures(&model.config, 3).iter().enumerate() {
            save_png(&bench.path(&format!("pictures/{index}.png")), picture).unwrap();
        }
        bench
    }

    fn path(&self, name: &str) -> PathBuf {
        self.directory.path().join(name)
    }

    /// Runs the command in the directory; arguments are separated by blanks.
    fn run(&self, arguments: &str) -> Outcome {
        let mut command = Command::cargo_bin("edge-moe").unwrap();
        let output = command.current_dir(self.directory.path()).args(arguments.split(' ')).output().unwrap();
        Outcome {
            code: output.status.code().expect("the command was not killed"),
            stdout: String::from_utf8(output.stdout).unwrap(),
            stderr: String::from_utf8(output.stderr).unwrap(),
        }
    }

    fn compile(&self) {
        self.run("compile model.safetensors --arch edge --calibrate pictures -o model.emoe").succeeded();
    }

    /// Names of all files, sorted.
    fn files(&self, directory: &str) -> Vec<String> {
        let entries = std::fs::read_dir(self.path(directory)).unwrap();
        let mut names: Vec<String> =
            entries.map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect();
        names.sort();
        names
    }
}

struct Outcome {
    code: i32,
    stdout: String,
    stderr: String,
}

impl Outcome {
    #[track_caller]
    fn succeeded(self) -> String {
        assert_eq!(self.code, 0, "{}", self.stderr);
        self.stdout
    }

    #[track_caller]
    fn json(self) -> Value {
        serde_json::from_str(&self.succeeded()).unwrap()
    }

    /// Failed with this code and one message that starts so, and printed no result.
    #[track_caller]
    fn refused(self, code: i32, message: &str) {
        assert_eq!(self.code, code, "{}", self.stderr);
        assert_eq!(self.stdout, "");
        let errors: Vec<&str> = self.stderr.lines().filter_map(|line| line.strip_prefix("error: ")).collect();
        assert!(errors.len() == 1 && errors[0].starts_with(message), "{}", self.stderr);
    }
}

#[test]
fn compiled_models_answer_pictures_of_any_format_and_size() {
    let bench = Bench::new();
    bench.compile();
    let large = image::imageops::resize(
        &picture::read(&bench.path("pictures/1.png")).unwrap(),
        77,
        201,
        image::imageops::FilterType::Triangle,
    );
    large.save(bench.path("large.jpg")).unwrap();
    let report = bench.run("run model.emoe pictures/0.png large.jpg --out answers --json").json();
    assert_eq!(report["version"], 1);
    assert_eq!(report["arch"], "edge");
    let instructions = edge_moe::device::Simd::best();
    assert_eq!(report["device"], format!("software device ({instructions})"));
    assert_eq!(report["pictures"][1]["picture"], "large.jpg");
    let routing = report["pictures"][0]["routing"].as_array().unwrap();
    assert_eq!(routing.len(), 4);
    let tokens: u64 =
        routing[0]["tokens_per_expert"].as_array().unwrap().iter().map(|n| n.as_u64().unwrap()).sum();
    assert_eq!(tokens, 2 * 9);
    let endings = ["depth.map.png", "depth.png", "routing.png", "semseg.map.png", "semseg.png"];
    let expected: Vec<String> =
        ["0", "large"].iter().flat_map(|stem| endings.map(|ending| format!("{stem}.{ending}"))).collect();
    assert_eq!(bench.files("answers"), expected);
    let map = image::open(bench.path("answers/large.semseg.map.png")).unwrap();
    assert_eq!((map.width(), map.height()), (16, 8));
}

#[test]
fn weights_and_artifact_give_the_same_files() {
    let bench = Bench::new();
    bench.compile();
    let direct = "run model.safetensors pictures/2.png --calibrate pictures --arch zcu102 --out direct";
    bench.run(direct).succeeded();
    bench.run("run model.emoe pictures/2.png --out compiled").succeeded();
    assert_eq!(bench.files("direct"), bench.files("compiled"));
    for name in bench.files("direct") {
        let read = |directory: &str| std::fs::read(bench.path(directory).join(&name)).unwrap();
        assert!(read("direct") == read("compiled"), "{name}");
    }
}

#[test]
fn one_task_can_be_asked_for() {
    let bench = Bench::new();
    bench.compile();
    let text = bench.run("run model.emoe pictures/0.png --task depth --out answers").succeeded();
    assert!(text.contains("depth: ") && !text.contains("semseg"), "{text}");
    assert_eq!(bench.files("answers"), ["0.depth.map.png", "0.depth.png", "0.routing.png"]);
    bench
        .run("run model.emoe pictures/0.png --task flow")
        .refused(2, "task `flow`: the model does not answer it");
    assert!(!bench.path("out").exists());
}

#[test]
fn threads_do_not_change_an_artifact() {
    let bench = Bench::new();
    for threads in [1, 2] {
        let file = format!("{threads}.emoe");
        bench
            .run(&format!(
                "--threads {threads} compile model.safetensors --arch tiny --calibrate pictures -o {file}"
            ))
            .succeeded();
    }
    let read = |name: &str| std::fs::read(bench.path(name)).unwrap();
    assert!(read("1.emoe") == read("2.emoe"));
}

#[test]
fn compiling_reports_every_tensor() {
    let bench = Bench::new();
    let report =
        bench.run("compile model.safetensors --arch edge --calibrate pictures -o model.emoe --json").json();
    assert_eq!((&report["version"], &report["calibration_pictures"]), (&1.into(), &3.into()));
    // Patch embedding, 4 blocks of query, key, value, proj; 2 of fc1, fc2; 2 of 2 gates and 4 experts; heads.
    assert_eq!(report["weights"].as_array().unwrap().len(), 1 + 16 + 4 + 2 * (2 + 8) + 2);
    for tensor in report["weights"].as_array().unwrap() {
        assert_eq!(tensor["saturated"], 0, "{tensor}");
        assert!(tensor["sqnr_db"].as_f64().unwrap() > 40.0, "{tensor}");
    }
    let activations = report["activations"].as_array().unwrap();
    assert!(activations.iter().any(|tensor| tensor["name"] == "semseg.block3.out"));
    for tensor in activations {
        assert!(tensor["sqnr_db"].as_f64().unwrap() > 20.0, "{tensor}");
    }
    assert_eq!(report["programs"][0]["interleaved_tasks"], 2);
}

#[test]
fn evaluation_puts_integer_and_float_side_by_side() {
    let bench = Bench::new();
    let root = root();
    let samples = root.join("samples/street");
    std::fs::create_dir(bench.path("scenes")).unwrap();
    for name in ["000.png", "000.class.png", "000.depth.png", "001.png", "001.class.png", "001.depth.png"] {
        std::fs::copy(samples.join(name), bench.path("scenes").join(name)).unwrap();
    }
    let model = root.join("models/m3vit-street-small.f16.safetensors");
    let model = model.display();
    let report = bench.run(&format!("eval {model} scenes --json")).json();
    assert_eq!((&report["version"], &report["scenes"]), (&1.into(), &2.into()));
    for side in ["float", "integer"] {
        for key in ["miou", "pixel_accuracy", "depth_rmse_m"] {
            assert!(report[side][key].as_f64().unwrap() > 0.0, "{side} {key}");
        }
    }
    assert!(report["expert_sets_changed"].as_f64().unwrap() < 0.05);

    bench.run(&format!("compile {model} --arch edge --calibrate scenes -o street.emoe")).succeeded();
    let alone = bench.run("eval street.emoe scenes --json").json();
    assert_eq!((&alone["float"], &alone["expert_sets_changed"]), (&Value::Null, &Value::Null));
    assert_eq!(alone["integer"], report["integer"]);
    let both = bench.run(&format!("eval street.emoe scenes --json --float {model}")).json();
    assert_eq!(both, report);
    bench
        .run("eval street.emoe scenes --float model.safetensors")
        .refused(2, "model.safetensors: is another network than the compiled model");

    std::fs::remove_file(bench.path("scenes/001.depth.png")).unwrap();
    bench.run("eval street.emoe scenes").refused(3, "scenes/001.depth.png: cannot be read");
}

#[test]
fn inspection_lists_what_is_inside() {
    let bench = Bench::new();
    bench.compile();
    let text = bench.run("inspect model.emoe").succeeded();
    for part in
        ["edge: 16 lanes of 16 multipliers", "program `all`", "2 tasks interleaved", "block 3 experts"]
    {
        assert!(text.contains(part), "{part} in {text}");
    }
    let contents = bench.run("inspect model.emoe --json --program depth").json();
    assert_eq!(contents["programs"].as_array().unwrap().len(), 1);
    let steps = contents["programs"][0]["steps"].as_array().unwrap();
    assert_eq!(steps.last().unwrap()["operation"], "end");
    assert_eq!(steps[0]["operands"]["source_space"], "memory");
    bench.run("inspect model.emoe --program flow").refused(2, "program `flow`: is not in the file");
    bench.run("inspect model.safetensors").refused(3, "model.safetensors: does not start with the magic");
}

#[test]
fn a_profile_says_where_the_cycles_go() {
    let bench = Bench::new();
    bench.compile();
    let report = bench.run("profile model.emoe pictures/0.png --json --svg --latency 32").json();
    for key in
        ["cycles", "macs", "multipliers", "memory_bytes", "bound_cycles", "ideal_cycles", "estimated_ms"]
    {
        assert!(report[key].as_f64().unwrap() > 0.0, "{key}");
    }
    assert_eq!((&report["version"], &report["multipliers"]), (&1.into(), &256.into()));
    assert_eq!((&report["arch"], &report["device"]), (&"edge".into(), &"cycle model".into()));
    assert_eq!((&report["evidence"], &report["memory"]["latency"]), (&"estimated".into(), &32.into()));
    let layers = report["layers"].as_array().unwrap();
    assert!(layers.iter().any(|layer| layer["name"] == "block 3 experts"));
    let sum: u64 = layers.iter().map(|layer| layer["cycles"].as_u64().unwrap()).sum();
    assert_eq!(report["cycles"], sum);
    let figures = ["activities", "profile.html", "roofline", "routing", "timeline"];
    let expected = figures.map(|name| format!("0.{name}") + if name.ends_with("html") { "" } else { ".svg" });
    assert_eq!(bench.files("out"), expected);

    let text = bench.run("profile model.emoe pictures/0.png --task depth --clock-mhz 200").succeeded();
    for part in ["`depth` on edge", "at 200 MHz, estimated", "block 2 fc1", "out/0.profile.html"] {
        assert!(text.contains(part), "{part} in {text}");
    }
}

#[test]
fn a_profile_needs_no_picture() {
    let bench = Bench::new();
    let run = || bench.run("profile model.safetensors --arch tiny --out profile --json").json();
    let report = run();
    assert_eq!(report["picture"], "synthetic");
    assert_eq!(report, run());
    assert_eq!(bench.files("profile"), ["synthetic.profile.html"]);
    bench
        .run("profile model.safetensors --arch tiny --back-pressure 0.5")
        .refused(2, "--back-pressure: applies to the RTL only");
    assert_eq!(bench.run("profile model.safetensors --clock-mhz 0").code, 2);
    bench
        .run("profile model.safetensors --out pictures/0.png")
        .refused(4, "pictures/0.png: cannot be written");
}

#[cfg(feature = "sim")]
#[test]
fn a_profile_counts_cycles_in_rtl() {
    let bench = Bench::new();
    let profile =
        |device: &str| bench.run(&format!("profile model.safetensors --arch tiny --json{device}")).json();
    let (simulated, estimated) = (profile(" --device rtl"), profile(""));
    assert_eq!((&simulated["evidence"], &estimated["evidence"]), (&"simulated".into(), &"estimated".into()));
    let cycles = |report: &Value| report["cycles"].as_f64().unwrap();
    assert!((cycles(&simulated) / cycles(&estimated) - 1.0).abs() < 0.02, "{simulated}");
    assert_eq!(simulated["macs"], estimated["macs"]);
}

#[test]
fn a_float_network_is_written_as_onnx() {
    let bench = Bench::new();
    let report = bench.run("export model.safetensors -o all.onnx --json").json();
    assert_eq!((&report["version"], &report["operator_set"]), (&1.into(), &17.into()));
    assert_eq!(report["input_shape"], serde_json::json!([1, 3, 16, 32]));
    let outputs = report["outputs"].as_array().unwrap();
    assert_eq!((&outputs[0]["name"], &outputs[1]["name"]), (&"semseg".into(), &"depth".into()));
    assert_eq!(outputs[1]["shape"], serde_json::json!([8, 16]));
    let text = bench.run("export model.safetensors -o depth.onnx --task depth").succeeded();
    assert!(text.contains("output `depth`: f32 [8, 16]") && !text.contains("semseg"), "{text}");
    let bytes = |name: &str| std::fs::read(bench.path(name)).unwrap().len();
    assert!(bytes("depth.onnx") < bytes("all.onnx"));
}

#[test]
fn what_cannot_be_exported_is_refused() {
    let bench = Bench::new();
    bench.compile();
    bench.run("export model.emoe -o x.onnx").refused(2, "model.emoe: is compiled and holds no float weights");
    bench
        .run("export model.safetensors -o x.onnx --task flow")
        .refused(2, "task `flow`: the model does not answer it");
    bench
        .run("export model.safetensors -o x.onnx --task depth --task depth")
        .refused(2, "task `depth`: is named twice");
    bench.run("export model.safetensors -o no/x.onnx").refused(4, "no/x.onnx: cannot be written");
    bench.run("export nothing -o x.onnx").refused(3, "nothing: cannot be read");
    assert!(!bench.path("x.onnx").exists());
}

#[test]
fn impossible_requests_are_refused() {
    let bench = Bench::new();
    bench.compile();
    bench
        .run("compile model.safetensors --arch huge --calibrate pictures -o x.emoe")
        .refused(2, "architecture `huge`: is not known");
    bench.run("run model.emoe pictures/0.png --arch edge").refused(2, "model.emoe: is compiled already");
    std::fs::create_dir(bench.path("other")).unwrap();
    std::fs::copy(bench.path("pictures/0.png"), bench.path("other/0.png")).unwrap();
    bench
        .run("run model.emoe pictures/0.png other/0.png")
        .refused(2, "other/0.png: would write the same files as pictures/0.png");
    assert_eq!(bench.run("run model.emoe").code, 2);
    assert_eq!(bench.run("fly").code, 2);
}

#[test]
fn options_of_the_rtl_need_the_rtl() {
    let bench = Bench::new();
    bench.compile();
    bench.run("run model.emoe pictures/0.png --latency 10").refused(2, "--latency: applies to the RTL only");
    bench
        .run("verify model.emoe pictures/0.png")
        .refused(2, "the software device: is what other devices are compared with");
    for arguments in [
        "verify --device rtl",
        "verify model.emoe --random-programs 3 --device rtl",
        "run model.emoe pictures/0.png --device rtl --latency 1 --random-latency 2..3",
        "run model.emoe pictures/0.png --device rtl --back-pressure 1",
        "run model.emoe pictures/0.png --device rtl --wave-from 3",
    ] {
        assert_eq!(bench.run(arguments).code, 2, "{arguments}");
    }
}

#[cfg(not(feature = "sim"))]
#[test]
fn a_command_without_the_rtl_says_how_to_get_it() {
    let bench = Bench::new();
    bench.compile();
    for arguments in ["run model.emoe pictures/0.png --device rtl", "verify model.emoe --device rtl"] {
        let outcome = bench.run(arguments);
        assert!(outcome.stderr.contains("hint: build it with `cargo build --release --features sim`"));
        outcome.refused(2, "--device rtl: this command was built without the RTL");
    }
}

#[cfg(feature = "sim")]
#[test]
fn the_rtl_answers_a_picture_like_the_software_device() {
    let bench = Bench::new();
    bench.run("compile model.safetensors --arch tiny --calibrate pictures -o tiny.emoe").succeeded();
    let software = bench.run("run tiny.emoe pictures/0.png --json --out software").json();
    let rtl = bench.run("run tiny.emoe pictures/0.png --json --out rtl --device rtl").json();
    assert_eq!(rtl["device"], "RTL device");
    assert!(rtl["pictures"][0]["figures"]["cycles"].as_u64().unwrap() > 10_000);
    assert!(software["pictures"][0]["figures"].is_null());
    for name in bench.files("software") {
        let read = |directory: &str| std::fs::read(bench.path(directory).join(&name)).unwrap();
        assert!(read("software") == read("rtl"), "{name}");
    }
    bench
        .run("run tiny.emoe pictures/0.png --device rtl --cycle-limit 1000")
        .refused(5, "RTL device: cycle ");
}

#[cfg(feature = "sim")]
#[test]
fn the_rtl_is_verified_with_models_and_random_programs() {
    let bench = Bench::new();
    let report = bench
        .run("verify model.safetensors --arch tiny --device rtl --random-latency 1..90 --back-pressure 0.3 --seed 9 --json")
        .json();
    assert_eq!((&report["equal"], &report["difference"]), (&true.into(), &Value::Null));
    assert_eq!((&report["arch"], &report["program"]), (&"tiny".into(), &"all".into()));
    assert!(report["whole_run"]["cycles"].as_u64().unwrap() > 10_000);
    let text = bench.run("verify --device rtl --random-programs 3 --arch tiny --seed 5").succeeded();
    assert!(text.contains("`tiny`: 3 of 3 random programs equal, from seed 5; "), "{text}");
}

#[cfg(feature = "sim")]
#[test]
fn a_missing_verilator_is_one_error_that_names_the_package() {
    let bench = Bench::new();
    let mut command = Command::cargo_bin("edge-moe").unwrap();
    let arguments = "verify --device rtl --random-programs 1 --arch tiny";
    let output = command.args(arguments.split(' ')).env("VERILATOR", bench.path("nothing")).output().unwrap();
    let stderr = String::from_utf8(output.stderr).unwrap();
    assert_eq!(output.status.code(), Some(5));
    assert!(stderr.contains("error: RTL device: cannot run '") && stderr.contains("verilator"), "{stderr}");
}

#[test]
fn unusable_inputs_are_named_and_nothing_is_written() {
    let bench = Bench::new();
    bench.compile();
    std::fs::create_dir(bench.path("empty")).unwrap();
    std::fs::write(bench.path("text.png"), "not a picture").unwrap();
    let weights = std::fs::read(bench.path("model.safetensors")).unwrap();
    std::fs::write(bench.path("cut.safetensors"), &weights[..weights.len() / 2]).unwrap();
    let artifact = std::fs::read(bench.path("model.emoe")).unwrap();
    std::fs::write(bench.path("cut.emoe"), &artifact[..artifact.len() / 2]).unwrap();
    let mut flipped = artifact;
    let last = flipped.len() - 1;
    flipped[last] ^= 1;
    std::fs::write(bench.path("flipped.emoe"), &flipped).unwrap();
    let before = bench.files(".");
    let cases = [
        ("run model.emoe missing.png", "missing.png: cannot be read"),
        ("run model.emoe text.png", "text.png: is not a readable picture"),
        ("run cut.emoe pictures/0.png", "cut.emoe: is "),
        ("run flipped.emoe pictures/0.png", "flipped.emoe: is damaged: checksum"),
        ("run missing.emoe pictures/0.png", "missing.emoe: cannot be read"),
        ("run cut.safetensors pictures/0.png", "cut.safetensors: is not a safetensors file"),
        (
            "compile cut.safetensors --arch edge --calibrate pictures -o x.emoe",
            "cut.safetensors: is not a safetensors file",
        ),
        ("compile model.safetensors --arch edge --calibrate empty -o x.emoe", "empty: contains no pictures"),
        ("compile model.safetensors --arch edge --calibrate nowhere -o x.emoe", "nowhere: cannot be read"),
        ("eval model.emoe empty", "empty: contains no pictures"),
        ("eval model.emoe pictures", "pictures/0.class.png: cannot be read"),
        ("inspect text.png", "text.png: does not start with the magic"),
    ];
    for (arguments, message) in cases {
        bench.run(arguments).refused(3, message);
    }
    assert_eq!(before, bench.files("."));
}

#[test]
fn results_that_cannot_be_written_are_named() {
    let bench = Bench::new();
    bench.compile();
    bench
        .run("compile model.safetensors --arch edge --calibrate pictures -o no/such/place.emoe")
        .refused(4, "no/such/place.emoe: cannot be written");
    bench.run("run model.emoe pictures/0.png --out model.emoe").refused(4, "model.emoe: cannot be written");
}

#[test]
fn a_reader_that_goes_away_is_no_error() {
    let bench = Bench::new();
    bench.compile();
    let binary = Path::new(env!("CARGO_BIN_EXE_edge-moe"));
    let status = std::process::Command::new("sh")
        .arg("-c")
        .arg(format!("set -o pipefail 2>/dev/null; {} inspect model.emoe | true", binary.display()))
        .current_dir(bench.directory.path())
        .output()
        .unwrap();
    assert_eq!(String::from_utf8_lossy(&status.stderr), "");
}

#[test]
fn edge_moes_released_weights_become_a_model_without_heads() {
    let bench = Bench::new();
    let (config, depths) = sample_shapes::headless(sample_shapes::edge_moe());
    let model = random_model((config, depths), 32);
    let picture = picture::synthetic(256, 128);
    std::fs::create_dir(bench.path("weights")).unwrap();
    write_edge_moe_weights(&model, &picture, &bench.path("weights"));
    std::fs::remove_file(bench.path("weights/l1_htoh4_weight.float32.bin")).unwrap();
    std::fs::remove_file(bench.path("weights/l3_h4toh_weight.float32.bin")).unwrap();
    bench
        .run("import-edge-moe weights -o edge.safetensors")
        .refused(3, "weights: 2 files are missing: l1_htoh4_weight.float32.bin, l3_h4toh_weight.float32.bin");
    assert!(!bench.path("edge.safetensors").exists());
    let import =
        "import-edge-moe weights -o edge.safetensors --fill-missing 7 --picture weights/image.png --json";
    let outcome = bench.run(import);
    assert!(outcome.stderr.contains("from seed 7: l1_htoh4_weight, l3_h4toh_weight"), "{}", outcome.stderr);
    let report = outcome.json();
    assert_eq!((&report["version"], &report["fill_seed"]), (&1.into(), &7.into()));
    assert_eq!(report["filled"], serde_json::json!(["l1_htoh4_weight", "l3_h4toh_weight"]));
    assert_eq!(picture::read(&bench.path("weights/image.png")).unwrap(), picture);

    let text = bench.run("run edge.safetensors weights/image.png --arch zcu102").succeeded();
    assert!(text.contains("task0: no head: 129 tokens of 192 channels"), "{text}");
    assert_eq!(bench.files("out"), ["image.routing.png", "image.task0.npy", "image.task1.npy"]);
    let tokens: Array2<f32> = ndarray_npy::read_npy(bench.path("out/image.task1.npy")).unwrap();
    assert_eq!(tokens.dim(), (129, 192));

    let fidelity = "fidelity edge.safetensors weights/image.png --arch zcu102 --json --dump dump.npz";
    let report = bench.run(fidelity).json();
    assert!(report["scores"].is_null());
    assert!(report["model"]["note"].as_str().unwrap().contains("seed 7: l1_htoh4_weight"));
    let mut dump = NpzReader::new(File::open(bench.path("dump.npz")).unwrap()).unwrap();
    let integer: Array2<f32> = dump.by_name("task1.block11.out.integer").unwrap();
    assert_eq!(integer, tokens);
    let float: Array2<f32> = dump.by_name("block1.norm2.float").unwrap();
    assert_eq!(float.dim(), (129, 192));

    bench
        .run("eval edge.safetensors weights")
        .refused(2, "edge.safetensors: has no heads, so that there is nothing to score");
}

#[test]
fn fidelity_says_how_far_integers_are_from_float() {
    let bench = Bench::new();
    let report = bench.run("fidelity model.safetensors pictures --json").json();
    assert_eq!((&report["version"], &report["variant"]), (&1.into(), &"plain".into()));
    assert_eq!((&report["pictures"], &report["scores"]), (&3.into(), &Value::Null));
    assert_eq!(report["model"]["file"], "model.safetensors");
    assert_eq!(report["kernels"]["gelu"].as_array().unwrap().len(), 5);
    for kernel in ["softmax", "layer_norm"] {
        assert!(!report["kernels"][kernel].as_array().unwrap().is_empty(), "{kernel}");
    }
    for tensor in report["tensors"].as_array().unwrap() {
        assert!(tensor["sqnr_db"].as_f64().unwrap() > 20.0, "{tensor}");
        assert_eq!(tensor["saturated_share"], 0.0, "{tensor}");
    }
    let last =
        report["tensors"].as_array().unwrap().iter().find(|tensor| tensor["name"] == "depth.block3.out");
    let last = last.expect("the last block's tensor");
    assert_eq!((&last["block"], &last["kind"], &last["task"]), (&3.into(), &"out".into(), &"depth".into()));
    let sets = &report["expert_sets"];
    // Three pictures of nine tokens, in two blocks of two tasks.
    assert_eq!((&sets["tokens"], sets["by_block"].as_array().unwrap().len()), (&(3 * 9 * 4).into(), 4));

    let stressed = bench.run("fidelity model.safetensors pictures --json --outliers 3").json();
    assert_eq!((&stressed["variant"], &stressed["outliers"]["factor"]), (&"outliers".into(), &24.0.into()));
    let noise = |report: &Value| report["by_kind"][0]["mean_sqnr_db"].as_f64().unwrap();
    assert_eq!(noise(&report), noise(&stressed), "the embedding comes before any LayerNorm");
    assert_ne!(report["tensors"], stressed["tensors"]);

    let text = bench.run("fidelity model.safetensors --outliers 3 --outlier-factor 2").succeeded();
    for part in
        ["GELU", "softmax", "LayerNorm", "after_attention", "expert sets", "no scores", "2 times as large"]
    {
        assert!(text.contains(part), "{part} in {text}");
    }
}

#[test]
fn fidelity_scores_labelled_pictures_and_dumps_one() {
    let bench = Bench::new();
    let root = root();
    let model = root.join("models/m3vit-street-small.f16.safetensors");
    let picture = root.join("samples/street/000.png");
    let (model, picture) = (model.display(), picture.display());
    let report = bench.run(&format!("fidelity {model} {picture} --json --dump dump.npz")).json();
    for side in ["float", "integer"] {
        assert!(report["scores"][side]["miou"].as_f64().unwrap() > 0.0, "{side}");
    }
    let mut dump = NpzReader::new(File::open(bench.path("dump.npz")).unwrap()).unwrap();
    let names = dump.names().unwrap();
    for name in ["picture", "block0.norm2.float", "block0.norm2.integer", "semseg.block1.gate_logits.float"] {
        assert!(names.iter().any(|known| known == name), "{name} in {names:?}");
    }
    let experts: Array2<i32> = dump.by_name("depth.block1.experts.integer").unwrap();
    let scores: Array2<f32> = dump.by_name("depth.block1.scores.float").unwrap();
    assert_eq!((experts.dim(), scores.dim()), ((129, 2), (129, 2)));

    bench
        .run("fidelity model.safetensors pictures --dump x.npz")
        .refused(2, "--dump: writes one picture, 3 were given");
    assert!(!bench.path("x.npz").exists());
    bench.compile();
    bench.run("fidelity model.emoe").refused(2, "model.emoe: is compiled");
    assert_eq!(bench.run("fidelity model.safetensors --outlier-factor 3").code, 2);
    assert_eq!(bench.run("fidelity model.safetensors --outliers 1 --outlier-factor NaN").code, 2);
}
