//! The software device computes in buffers that it keeps: after the first picture it allocates nothing.

mod common;

use std::alloc::{GlobalAlloc, Layout, System};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use common::{compile_for, root, street_pictures};
use edge_moe::device::{Device, Simd, SoftwareDevice};
use edge_moe::model::read_safetensors;
use edge_moe::runtime::Runtime;
use edge_moe_isa::arch::ArchConfig;

/// The system's allocator, and how often it was asked.
struct Counting(AtomicU64);

#[global_allocator]
static ALLOCATOR: Counting = Counting(AtomicU64::new(0));

// SAFETY: passes everything on to the system's allocator.
unsafe impl GlobalAlloc for Counting {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        self.0.fetch_add(1, Ordering::Relaxed);
        // SAFETY: the caller's promises are those of the system's allocator.
        unsafe { System.alloc(layout) }
    }

    unsafe fn dealloc(&self, pointer: *mut u8, layout: Layout) {
        // SAFETY: as above.
        unsafe { System.dealloc(pointer, layout) }
    }
}

/// One test alone in its file: nothing else allocates meanwhile.
#[test]
fn nothing_is_allocated_after_the_first_picture() {
    let pictures = street_pictures(2);
    let model = read_safetensors(&root().join("models/m3vit-street-small.f16.safetensors")).unwrap();
    let model = compile_for(&model, &ArchConfig::edge(), &pictures);
    // One thread: with more, chance decides which of them sees its greatest layer when.
    let pool = rayon::ThreadPoolBuilder::new().num_threads(1).build().unwrap();
    for simd in Simd::available() {
        let mut runtime = Runtime::new(SoftwareDevice::with_simd(simd), Arc::clone(&model)).unwrap();
        let program = runtime.program_for(None).unwrap();
        pool.install(|| {
            for picture in &pictures {
                runtime.run(picture, program).unwrap();
            }
            // The second picture once more: its queues are no longer than any seen.
            let before = ALLOCATOR.0.load(Ordering::Relaxed);
            runtime.device().run(program).unwrap();
            let allocations = ALLOCATOR.0.load(Ordering::Relaxed) - before;
            assert_eq!(allocations, 0, "{simd}");
        });
    }
}
