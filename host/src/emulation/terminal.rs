//! A pseudo-terminal: a serial line whose other end is in this process.

use std::fs::File;
use std::io::{ErrorKind as Io, Read, Write};
use std::os::fd::OwnedFd;
use std::path::{Path, PathBuf};
use std::time::Duration;

use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::fs::{Mode, OFlags, open};
use rustix::pty::{OpenptFlags, grantpt, openpt, ptsname, unlockpt};
use rustix::termios::{OptionalActions, tcgetattr, tcsetattr};

use crate::{Error, ErrorKind, Result};

/// The inner end of a pseudo-terminal.
pub struct Terminal {
    inner: File,
    /// Held open, so that the line stays when a host closes it.
    _outer: OwnedFd,
    path: PathBuf,
}

impl Terminal {
    pub fn new() -> Result<Self> {
        let error = |cause| Error::new(ErrorKind::Device, "pseudo-terminal", std::io::Error::from(cause));
        let inner = openpt(OpenptFlags::RDWR | OpenptFlags::NOCTTY).map_err(error)?;
        grantpt(&inner).and_then(|()| unlockpt(&inner)).map_err(error)?;
        rustix::io::ioctl_fionbio(&inner, true).map_err(error)?;
        let name = ptsname(&inner, Vec::new()).map_err(error)?;
        let path = PathBuf::from(name.to_string_lossy().into_owned());
        let outer =
            open(&path, OFlags::RDWR | OFlags::NOCTTY | OFlags::CLOEXEC, Mode::empty()).map_err(error)?;
        // What a host has not set up yet would come back as an echo.
        let mut settings = tcgetattr(&outer).map_err(error)?;
        settings.make_raw();
        tcsetattr(&outer, OptionalActions::Now, &settings).map_err(error)?;
        Ok(Self { inner: File::from(inner), _outer: outer, path })
    }

    /// Its outer end.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// What a host has written.
    pub fn read(&mut self) -> Result<Vec<u8>> {
        let mut bytes = vec![0; 4096];
        let read = self.inner.read(&mut bytes);
        bytes.truncate(self.unless_blocked(read)?);
        Ok(bytes)
    }

    /// Writes for a host; returns how much was taken.
    pub fn write(&mut self, bytes: &[u8]) -> Result<usize> {
        let written = self.inner.write(bytes);
        self.unless_blocked(written)
    }

    /// Waits until a host writes, but no longer than that.
    pub fn wait(&self, patience: Duration) -> Result<()> {
        let patience = Timespec { tv_sec: 0, tv_nsec: patience.subsec_nanos().into() };
        match poll(&mut [PollFd::new(&self.inner, PollFlags::IN)], Some(&patience)) {
            Ok(_) | Err(rustix::io::Errno::INTR) => Ok(()),
            Err(cause) => Err(self.error(cause.into())),
        }
    }

    fn unless_blocked(&self, result: std::io::Result<usize>) -> Result<usize> {
        match result {
            Err(cause) if matches!(cause.kind(), Io::WouldBlock | Io::Interrupted) => Ok(0),
            result => result.map_err(|cause| self.error(cause)),
        }
    }

    fn error(&self, cause: std::io::Error) -> Error {
        Error::new(ErrorKind::Device, self.path.display(), cause)
    }
}
