//! What a device executes: checked programs and the image that they read.

use std::ops::Range;

use edge_moe_isa::arch::ArchConfig;
use edge_moe_isa::artifact::{Artifact, Step};
use edge_moe_isa::check::{self, MemoryWindow};
use edge_moe_isa::descriptor::{BYTES, Descriptor};
use edge_moe_isa::packing::ADDRESS_ALIGNMENT;
use memmap2::Mmap;

use crate::{Error, Result};

/// Programs that `edge_moe_isa::check` has accepted, and the image that they read. There is no
/// other way to make one, so a device may trust it.
#[derive(Debug)]
pub struct Executable {
    arch: ArchConfig,
    writable_bytes: u64,
    bytes: Bytes,
    /// Where the image stands in the bytes.
    image: Range<usize>,
    programs: Vec<Vec<Descriptor>>,
    listings: Vec<Listing>,
}

/// Where a program stands, and what its descriptors are for.
#[derive(Clone, Debug, PartialEq)]
pub struct Listing {
    /// Memory address of the first descriptor, a multiple of 64, in the image.
    pub address: u64,
    /// One step per descriptor.
    pub steps: Vec<Step>,
}

#[derive(Debug)]
pub(crate) enum Bytes {
    Mapped(Mmap),
    Owned(Vec<u8>),
}

impl AsRef<[u8]> for Bytes {
    fn as_ref(&self) -> &[u8] {
        match self {
            Self::Mapped(map) => map,
            Self::Owned(bytes) => bytes,
        }
    }
}

impl Executable {
    /// What a checked artifact holds for a device.
    pub(crate) fn of_artifact(artifact: Artifact, bytes: Bytes) -> Self {
        let Artifact { manifest, programs, image } = artifact;
        let listing = |program: edge_moe_isa::artifact::Program| Listing {
            address: program.address,
            steps: program.steps,
        };
        Self {
            arch: manifest.arch,
            writable_bytes: manifest.writable_bytes,
            bytes,
            image,
            programs,
            listings: manifest.programs.into_iter().map(listing).collect(),
        }
    }

    /// A program that belongs to no network. `image` follows `writable_bytes` bytes of writable memory
    /// and contains the program's descriptors.
    ///
    /// # Errors
    /// What makes sizes, place or program illegal.
    pub fn of_program(
        arch: ArchConfig,
        writable_bytes: u64,
        image: Vec<u8>,
        listing: Listing,
    ) -> Result<Self> {
        let error = |problem: String| Error::input("program", problem);
        arch.validate().map_err(|cause| error(cause.to_string()))?;
        let window = MemoryWindow { writable_bytes, total_bytes: writable_bytes + image.len() as u64 };
        let alignment = u64::from(ADDRESS_ALIGNMENT);
        if !writable_bytes.is_multiple_of(alignment) || !listing.address.is_multiple_of(alignment) {
            return Err(error(format!("writable part and program must start at multiples of {alignment}")));
        }
        if window.total_bytes > 1 << 32 {
            return Err(error(format!("{} bytes of memory exceed 32 bits", window.total_bytes)));
        }
        let start = listing.address.checked_sub(writable_bytes).map(|start| start as usize);
        let bytes = start.and_then(|start| image.get(start..)?.get(..listing.steps.len() * BYTES));
        let bytes =
            bytes.ok_or_else(|| error(format!("lies outside of the image at {}", listing.address)))?;
        let descriptors = check::decode(bytes).and_then(|descriptors| {
            check::check(&arch, window, &descriptors)?;
            Ok(descriptors)
        });
        let descriptors = descriptors.map_err(|cause| error(cause.to_string()))?;
        Ok(Self {
            arch,
            writable_bytes,
            image: 0..image.len(),
            bytes: Bytes::Owned(image),
            programs: vec![descriptors],
            listings: vec![listing],
        })
    }

    /// The device it was made for.
    pub fn arch(&self) -> &ArchConfig {
        &self.arch
    }

    /// The descriptors of each program.
    pub fn programs(&self) -> &[Vec<Descriptor>] {
        &self.programs
    }

    /// Place and steps of each program.
    pub fn listings(&self) -> &[Listing] {
        &self.listings
    }

    /// Weights and programs, as they stand in device memory after its writable part.
    pub fn image(&self) -> &[u8] {
        &self.bytes.as_ref()[self.image.clone()]
    }

    /// The device memory its programs may use.
    pub fn window(&self) -> MemoryWindow {
        let writable_bytes = self.writable_bytes;
        MemoryWindow { writable_bytes, total_bytes: writable_bytes + self.image().len() as u64 }
    }

    /// All bytes that it was read from.
    pub(crate) fn file(&self) -> &[u8] {
        self.bytes.as_ref()
    }
}
