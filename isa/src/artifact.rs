//! The `.emoe` artifact: one file that holds a compiled model for one device.
//!
//! | offset | bytes | content |
//! |---:|---:|---|
//! | 0 | 8 | magic `\x89EMOE\r\n\n` |
//! | 8 | 4 | interface version |
//! | 12 | 4 | CRC-32 (IEEE) of everything from byte 16 to the end |
//! | 16 | 8 | length of the file |
//! | 24 | 8 | length of the manifest |
//! | 32 | 8 | length of the image |
//! | 40 | 24 | zero |
//! | 64 | | manifest: JSON, UTF-8, then zeros up to a multiple of 4096 |
//! | | | image: weights and programs, for the device's memory right after its writable part |
//!
//! All numbers are little-endian. A file is untrusted: [`Artifact::parse`]
//! checks all of it before anything of it can be used.

mod manifest;

use thiserror::Error;

use crate::INTERFACE_VERSION;
use crate::check::{self, MemoryWindow, ProgramError};
use crate::descriptor::{BYTES, Descriptor};
pub use manifest::{Input, Manifest, ManifestError, Output, Program, Routing, Step, TensorView};

/// First bytes of every artifact.
pub const MAGIC: [u8; 8] = *b"\x89EMOE\r\n\n";
/// The image starts at a multiple of this, so that it can be mapped as it is.
const IMAGE_ALIGNMENT: u64 = 4096;
const HEADER_BYTES: usize = 64;
const CRC_START: usize = 16;

/// Why bytes are not an artifact that can be run.
#[derive(Debug, Error)]
pub enum ArtifactError {
    /// The file is shorter than a header.
    #[error("is {0} bytes long, an artifact has at least {HEADER_BYTES}")]
    Short(usize),
    /// Not an artifact at all.
    #[error("does not start with the magic of an .emoe artifact")]
    Magic,
    /// Made for another version of device and program.
    #[error("has interface version {0}, this program reads version {INTERFACE_VERSION}")]
    Version(u32),
    /// Cut off or added to.
    #[error("is {actual} bytes long, its header says {stated}")]
    Length {
        /// Length in the header.
        stated: u64,
        /// Length of the file.
        actual: u64,
    },
    /// Some bytes changed since it was written.
    #[error("is damaged: checksum {actual:#010x}, its header says {stated:#010x}")]
    Checksum {
        /// Checksum in the header.
        stated: u32,
        /// Checksum of the content.
        actual: u32,
    },
    /// Header fields that contradict each other.
    #[error("has an impossible header: {0}")]
    Header(String),
    /// The manifest is not what this version writes.
    #[error("has an unreadable manifest: {0}")]
    ManifestSyntax(#[from] serde_json::Error),
    /// The manifest contradicts the image or itself.
    #[error("has an impossible manifest: {0}")]
    Manifest(#[from] ManifestError),
    /// A program that must not run.
    #[error("program `{program}`, {cause}")]
    Program {
        /// Name of the program.
        program: String,
        /// What is wrong with it.
        cause: ProgramError,
    },
}

/// A checked artifact; `image` says where in its file the image stands.
#[derive(Debug)]
pub struct Artifact {
    /// What is inside.
    pub manifest: Manifest,
    /// The descriptors of each program of the manifest, in its order.
    pub programs: Vec<Vec<Descriptor>>,
    /// Where the image stands in the file.
    pub image: std::ops::Range<usize>,
}

impl Artifact {
    /// Reads and checks a whole artifact.
    pub fn parse(bytes: &[u8]) -> Result<Self, ArtifactError> {
        let header = Header::parse(bytes)?;
        let manifest_end = HEADER_BYTES + header.manifest_bytes as usize;
        let manifest: Manifest = serde_json::from_slice(&bytes[HEADER_BYTES..manifest_end])?;
        let image = header.image_offset() as usize..bytes.len();
        let programs = check_content(&manifest, &bytes[image.clone()])?;
        Ok(Self { manifest, programs, image })
    }
}

/// Writes an artifact and checks it, so that nothing illegal is ever written.
pub fn assemble(manifest: &Manifest, image: &[u8]) -> Result<Vec<u8>, ArtifactError> {
    check_content(manifest, image)?;
    let manifest = serde_json::to_vec(manifest)?;
    let header = Header { manifest_bytes: manifest.len() as u64, image_bytes: image.len() as u64 };
    let mut bytes = header.encode();
    bytes.extend_from_slice(&manifest);
    bytes.resize(header.image_offset() as usize, 0);
    bytes.extend_from_slice(image);
    let checksum = crc32fast::hash(&bytes[CRC_START..]);
    bytes[12..16].copy_from_slice(&checksum.to_le_bytes());
    Ok(bytes)
}

fn check_content(manifest: &Manifest, image: &[u8]) -> Result<Vec<Vec<Descriptor>>, ArtifactError> {
    manifest.check(image.len() as u64)?;
    let writable_bytes = manifest.writable_bytes;
    let window = MemoryWindow { writable_bytes, total_bytes: writable_bytes + image.len() as u64 };
    let check_program = |program: &Program| {
        let start = (program.address - writable_bytes) as usize;
        let bytes = &image[start..start + program.steps.len() * BYTES];
        let descriptors = check::decode(bytes).and_then(|descriptors| {
            check::check(&manifest.arch, window, &descriptors)?;
            Ok(descriptors)
        });
        descriptors.map_err(|cause| ArtifactError::Program { program: program.name.clone(), cause })
    };
    manifest.programs.iter().map(check_program).collect()
}

struct Header {
    manifest_bytes: u64,
    image_bytes: u64,
}

impl Header {
    /// Where the image starts. Saturates: lengths that do not fit 64 bits match no file.
    fn image_offset(&self) -> u64 {
        let manifest_end = self.manifest_bytes.saturating_add(HEADER_BYTES as u64);
        manifest_end.checked_next_multiple_of(IMAGE_ALIGNMENT).unwrap_or(u64::MAX)
    }

    /// Length of the whole file. Saturates.
    fn file_bytes(&self) -> u64 {
        self.image_offset().saturating_add(self.image_bytes)
    }

    fn encode(&self) -> Vec<u8> {
        let mut bytes = vec![0; HEADER_BYTES];
        bytes[..8].copy_from_slice(&MAGIC);
        bytes[8..12].copy_from_slice(&INTERFACE_VERSION.to_le_bytes());
        bytes[16..24].copy_from_slice(&self.file_bytes().to_le_bytes());
        bytes[24..32].copy_from_slice(&self.manifest_bytes.to_le_bytes());
        bytes[32..40].copy_from_slice(&self.image_bytes.to_le_bytes());
        bytes
    }

    /// Reads a header and checks it against the whole file.
    fn parse(bytes: &[u8]) -> Result<Self, ArtifactError> {
        let word =
            |offset: usize| u32::from_le_bytes(bytes[offset..offset + 4].try_into().expect("four bytes"));
        let long = |offset: usize| u64::from(word(offset)) | u64::from(word(offset + 4)) << 32;
        if bytes.len() >= MAGIC.len() && bytes[..MAGIC.len()] != MAGIC {
            return Err(ArtifactError::Magic);
        }
        if bytes.len() < HEADER_BYTES {
            return Err(ArtifactError::Short(bytes.len()));
        }
        if word(8) != INTERFACE_VERSION {
            return Err(ArtifactError::Version(word(8)));
        }
        let (stated, actual) = (long(16), bytes.len() as u64);
        if stated != actual {
            return Err(ArtifactError::Length { stated, actual });
        }
        let (stated, actual) = (word(12), crc32fast::hash(&bytes[CRC_START..]));
        if stated != actual {
            return Err(ArtifactError::Checksum { stated, actual });
        }
        Self { manifest_bytes: long(24), image_bytes: long(32) }.checked(bytes)
    }

    /// Checks that the parts tile the file.
    fn checked(self, bytes: &[u8]) -> Result<Self, ArtifactError> {
        let length = bytes.len() as u64;
        if self.file_bytes() != length {
            let Self { manifest_bytes, image_bytes } = self;
            let parts = format!("manifest of {manifest_bytes} and image of {image_bytes} bytes in {length}");
            return Err(ArtifactError::Header(parts));
        }
        let padding = HEADER_BYTES + self.manifest_bytes as usize..self.image_offset() as usize;
        if bytes[40..HEADER_BYTES].iter().chain(&bytes[padding]).any(|&byte| byte != 0) {
            return Err(ArtifactError::Header("bytes that must be zero are not".into()));
        }
        Ok(self)
    }
}

#[cfg(test)]
mod tests;
