//! A line of bytes to a board: the trait, and serial lines of the operating system.

use std::io::{self, ErrorKind as Io};
use std::os::fd::OwnedFd;
use std::time::{Duration, Instant};

use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::fs::{FlockOperation, Mode, OFlags, flock, open};
use rustix::io::Errno;
use rustix::termios::{
    ControlModes, OptionalActions, QueueSelector, SpecialCodeIndex, Termios, ioctl_tiocexcl, ioctl_tiocnxcl,
    tcflush, tcgetattr, tcsetattr,
};

use super::UartAddress;
use crate::{Error, ErrorKind, Result};

/// A line that carries bytes both ways. What it loses or spoils is not its business; it has the time, too,
/// so that a line in memory decides how long a wait is.
pub trait Line {
    /// What messages call it.
    fn name(&self) -> String;

    /// Bits per second; a byte takes ten.
    fn baud(&self) -> u32;

    /// Reads what is there, waiting up to `timeout` for the first byte; zero if none came.
    ///
    /// # Errors
    /// If the line is gone.
    fn read(&mut self, bytes: &mut [u8], timeout: Duration) -> Result<usize>;

    /// Sends bytes.
    ///
    /// # Errors
    /// If the line is gone, or does not take them.
    fn write(&mut self, bytes: &[u8]) -> Result<()>;

    /// Time since some fixed moment.
    fn now(&self) -> Duration;

    /// Waits.
    fn pause(&mut self, duration: Duration);
}

/// How far the speed that a driver sets may be from the one that was asked for: a receiver that samples in
/// the middle of bits tolerates about twice that over ten bits.
const BAUD_TOLERANCE: f64 = 0.02;
/// How long a line may take no byte, beyond the time of all that may wait in it.
const WRITE_PATIENCE: Duration = Duration::from_secs(2);
/// Bytes that may wait in a driver and a USB converter.
const BUFFERED_BYTES: u32 = 1 << 16;

/// A serial line or pseudo-terminal of the operating system, for this process alone: raw, eight bits, no
/// parity, one stop bit, no flow control.
pub struct SerialLine {
    file: OwnedFd,
    address: UartAddress,
    opened: Instant,
}

impl SerialLine {
    /// Opens and locks it; what it had received is thrown away.
    ///
    /// # Errors
    /// A path that is missing, denied, in use or no terminal; a speed that the driver refuses.
    pub fn open(address: &UartAddress) -> Result<Self> {
        let error = |cause| open_error(address, cause);
        // Without `NONBLOCK`, some drivers wait for a carrier.
        let flags = OFlags::RDWR | OFlags::NOCTTY | OFlags::NONBLOCK | OFlags::CLOEXEC;
        let file = open(&address.path, flags, Mode::empty()).map_err(error)?;
        let before = tcgetattr(&file).map_err(error)?;
        flock(&file, FlockOperation::NonBlockingLockExclusive).map_err(error)?;
        // Made here, so that whatever fails below leaves the line as it was.
        let line = Self { file, address: address.clone(), opened: Instant::now() };
        ioctl_tiocexcl(&line.file).map_err(error)?;
        line.configure(before)?;
        tcflush(&line.file, QueueSelector::IOFlush).map_err(error)?;
        Ok(line)
    }

    fn configure(&self, mut settings: Termios) -> Result<()> {
        let UartAddress { baud, .. } = self.address;
        settings.make_raw();
        // A board may be wired so that a hang-up resets it.
        let without = ControlModes::CSTOPB | ControlModes::CRTSCTS | ControlModes::HUPCL;
        settings.control_modes.remove(without);
        settings.control_modes.insert(ControlModes::CREAD | ControlModes::CLOCAL);
        // With no byte to read, `read` says so; zero means that the line is gone.
        settings.special_codes[SpecialCodeIndex::VMIN] = 1;
        settings.special_codes[SpecialCodeIndex::VTIME] = 0;
        settings.set_speed(baud).map_err(|_| self.baud_refused("refuses"))?;
        tcsetattr(&self.file, OptionalActions::Now, &settings).map_err(|cause| match cause {
            Errno::INVAL => self.baud_refused("refuses"),
            cause => open_error(&self.address, cause),
        })?;
        let got = tcgetattr(&self.file).map_err(|cause| open_error(&self.address, cause))?.output_speed();
        if (f64::from(got) / f64::from(baud) - 1.0).abs() > BAUD_TOLERANCE {
            return Err(self.baud_refused(&format!("sets {got} baud instead of")));
        }
        Ok(())
    }

    fn baud_refused(&self, what: &str) -> Error {
        let UartAddress { path, baud } = &self.address;
        Error::new(ErrorKind::Device, path.display(), format!("the driver {what} {baud} baud"))
            .hint("give a speed that the board and the converter both have, as PATH,BAUD")
    }

    /// Waits until the line can be read or written; false if it could not be for so long.
    fn wait(&self, event: PollFlags, timeout: Duration) -> Result<bool> {
        let deadline = Instant::now() + timeout;
        loop {
            let left = deadline.saturating_duration_since(Instant::now());
            let left = Timespec { tv_sec: left.as_secs() as i64, tv_nsec: left.subsec_nanos().into() };
            match poll(&mut [PollFd::new(&self.file, event)], Some(&left)) {
                Ok(ready) => return Ok(ready > 0),
                Err(Errno::INTR) => (),
                Err(cause) => return Err(self.gone(cause)),
            }
        }
    }

    fn gone(&self, cause: impl Into<io::Error>) -> Error {
        let cause = cause.into();
        let problem = format!("the line is gone ({cause}): was it unplugged?");
        Error::new(ErrorKind::Device, self.address.path.display(), problem)
    }
}

impl Line for SerialLine {
    fn name(&self) -> String {
        self.address.to_string()
    }

    fn baud(&self) -> u32 {
        self.address.baud
    }

    fn read(&mut self, bytes: &mut [u8], timeout: Duration) -> Result<usize> {
        if !self.wait(PollFlags::IN, timeout)? {
            return Ok(0);
        }
        match rustix::io::read(&self.file, bytes) {
            Ok(0) => Err(self.gone(Io::UnexpectedEof)),
            Ok(read) => Ok(read),
            Err(Errno::AGAIN | Errno::INTR) => Ok(0),
            Err(cause) => Err(self.gone(cause)),
        }
    }

    fn write(&mut self, mut bytes: &[u8]) -> Result<()> {
        let patience = WRITE_PATIENCE + byte_time(self.baud()) * BUFFERED_BYTES;
        while !bytes.is_empty() {
            if !self.wait(PollFlags::OUT, patience)? {
                let problem = format!("the line took no byte for {:.1} s", patience.as_secs_f64());
                return Err(Error::new(ErrorKind::Device, self.address.path.display(), problem));
            }
            match rustix::io::write(&self.file, bytes) {
                Ok(written) => bytes = &bytes[written..],
                Err(Errno::AGAIN | Errno::INTR) => (),
                Err(cause) => return Err(self.gone(cause)),
            }
        }
        Ok(())
    }

    fn now(&self) -> Duration {
        self.opened.elapsed()
    }

    fn pause(&mut self, duration: Duration) {
        std::thread::sleep(duration);
    }
}

impl Drop for SerialLine {
    /// A terminal that others hold open would stay exclusive.
    fn drop(&mut self) {
        // It may be unplugged.
        let _ = ioctl_tiocnxcl(&self.file);
    }
}

/// Time of a byte with its start and stop bit.
pub(super) fn byte_time(baud: u32) -> Duration {
    Duration::from_secs(10) / baud
}

fn open_error(address: &UartAddress, cause: Errno) -> Error {
    let error = |problem: &str| Error::new(ErrorKind::Device, address.path.display(), problem);
    match cause {
        Errno::NOENT | Errno::NODEV | Errno::NXIO => error("there is no such serial line")
            .hint("is the board connected? `ls /dev/ttyUSB* /dev/ttyACM*` lists lines"),
        Errno::ACCESS | Errno::PERM => error("permission denied").hint(
            "add yourself to its group, on most systems `sudo usermod -aG dialout $USER`, and log in again",
        ),
        Errno::BUSY | Errno::WOULDBLOCK => error("is in use by another program"),
        Errno::NOTTY | Errno::ISDIR | Errno::INVAL => error("is not a serial line"),
        cause => error(&format!("cannot be opened: {}", io::Error::from(cause))),
    }
}
