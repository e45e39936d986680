//! The software device on each kind of instructions that this CPU has: one picture and task at the full
//! Edge-MoE shape, one thread.

use std::path::Path;
use std::sync::Arc;

use criterion::{Criterion, criterion_group, criterion_main};
use edge_moe::compile::compile;
use edge_moe::compiled::CompiledModel;
use edge_moe::device::{Simd, SoftwareDevice};
use edge_moe::model::read_safetensors;
use edge_moe::picture;
use edge_moe::quantise::calibrate;
use edge_moe::runtime::Runtime;
use edge_moe_isa::arch::ArchConfig;
use image::RgbImage;

fn full_shape() -> (Arc<CompiledModel>, RgbImage) {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("..");
    let model = read_safetensors(&root.join("models/m3vit-street-tiny.f16.safetensors")).unwrap();
    let picture = picture::read(&root.join("samples/street/000.png")).unwrap();
    let pictures = std::slice::from_ref(&picture);
    let ranges = calibrate(&model, pictures, &|| ());
    let compilation = compile(&model, &ArchConfig::edge(), &ranges, pictures.len()).unwrap();
    (CompiledModel::from_bytes(compilation.artifact).unwrap(), picture)
}

fn paths(criterion: &mut Criterion) {
    let (model, picture) = full_shape();
    let pool = rayon::ThreadPoolBuilder::new().num_threads(1).build().unwrap();
    let mut group = criterion.benchmark_group("software-paths");
    group.sample_size(20);
    for simd in Simd::available() {
        let mut runtime = Runtime::new(SoftwareDevice::with_simd(simd), Arc::clone(&model)).unwrap();
        let program = runtime.program_for(Some("semseg")).unwrap();
        group.bench_function(simd.name(), |bench| {
            pool.install(|| bench.iter(|| runtime.run(&picture, program).unwrap()));
        });
    }
    group.finish();
}

criterion_group!(benches, paths);
criterion_main!(benches);
