//! The same bytes from every build, with any number of threads.

mod common;

use common::{compile_for, pictures, random_model, run};
use edge_moe::model::sample_shapes;
use edge_moe::runtime::Answers;
use edge_moe_isa::arch::ArchConfig;

/// CRC-32 of the artifact and of the answers below. They change only when
/// numbers or formats are changed on purpose; then the failure shows the new ones.
/// Debug and release builds are held to the same.
const ARTIFACT_CRC: u32 = 0x57db_cd50;
const ANSWERS_CRC: u32 = 0x5711_c1c1;

fn compile_and_run() -> (u32, u32) {
    let model = random_model(sample_shapes::mixture(), 11);
    let pictures = pictures(&model.config, 4);
    let compiled = compile_for(&model, &ArchConfig::edge(), &pictures[..3]);
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("model.emoe");
    compiled.write(&path).unwrap();
    (crc32fast::hash(&std::fs::read(&path).unwrap()), checksum(&run(&compiled, &pictures[3])))
}

/// CRC-32 of all values and choices.
fn checksum(answers: &Answers) -> u32 {
    let mut hasher = crc32fast::Hasher::new();
    for value in answers.outputs.iter().flat_map(|output| &output.values) {
        hasher.update(&value.to_le_bytes());
    }
    for choice in answers.routing.iter().flat_map(|routing| routing.choices.iter().flatten()) {
        hasher.update(&choice.expert.to_le_bytes());
        hasher.update(&choice.score.to_le_bytes());
    }
    hasher.finalize()
}

#[test]
fn every_build_and_number_of_threads_gives_the_same_bytes() {
    for threads in [1, 2, 5] {
        let pool = rayon::ThreadPoolBuilder::new().num_threads(threads).build().unwrap();
        let found = pool.install(compile_and_run);
        assert_eq!(
            found,
            (ARTIFACT_CRC, ANSWERS_CRC),
            "artifact and answers with {threads} threads: {found:#010x?}"
        );
    }
}
