//! Interrupts of a UIO device: a file that can be read after one, and that lets the next one through when it is
//! written.

use std::os::fd::OwnedFd;
use std::time::Duration;

use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::io::{Errno, read, write};

/// The interrupts of a UIO device.
pub(super) struct Interrupt {
    file: OwnedFd,
}

impl Interrupt {
    pub fn new(file: OwnedFd) -> Self {
        Self { file }
    }

    /// Waits up to `longest` for an interrupt; false if none came. The kernel holds back an interrupt after the
    /// one before until it is enabled, which happens here: one that is pending by then counts.
    ///
    /// # Errors
    /// [`Errno::IO`] or [`Errno::NOSYS`] if the device has no interrupts; those of the file.
    pub fn wait(&mut self, longest: Duration) -> Result<bool, Errno> {
        write(&self.file, &1u32.to_ne_bytes())?;
        let longest = Timespec { tv_sec: longest.as_secs() as i64, tv_nsec: longest.subsec_nanos().into() };
        match poll(&mut [PollFd::new(&self.file, PollFlags::IN)], Some(&longest)) {
            Ok(0) | Err(Errno::INTR) => Ok(false),
            Ok(_) => {
                // How many there were; their number does not matter.
                let mut count = [0; 4];
                match read(&self.file, &mut count)? {
                    4 => Ok(true),
                    _ => Err(Errno::PIPE),
                }
            }
            Err(cause) => Err(cause),
        }
    }
}

#[cfg(test)]
mod tests {
    use std::io::{Read, Write};
    use std::os::unix::net::UnixStream;
    use std::time::Instant;

    use super::*;

    /// An interrupt, and the kernel's end of its file.
    fn interrupt() -> (Interrupt, UnixStream) {
        let (ours, kernels) = UnixStream::pair().unwrap();
        (Interrupt::new(ours.into()), kernels)
    }

    #[test]
    fn an_interrupt_ends_a_wait_and_each_wait_enables_it() {
        let (mut interrupt, mut kernel) = interrupt();
        for count in 1u32..=2 {
            kernel.write_all(&count.to_ne_bytes()).unwrap();
            let begin = Instant::now();
            assert!(interrupt.wait(Duration::from_secs(60)).unwrap());
            assert!(begin.elapsed() < Duration::from_secs(30));
            let mut enabled = [0; 4];
            kernel.read_exact(&mut enabled).unwrap();
            assert_eq!(u32::from_ne_bytes(enabled), 1);
        }
    }

    #[test]
    fn a_wait_without_an_interrupt_ends_in_time() {
        let (mut interrupt, _kernel) = interrupt();
        let begin = Instant::now();
        assert!(!interrupt.wait(Duration::from_millis(30)).unwrap());
        assert!(begin.elapsed() >= Duration::from_millis(30));
    }

    #[test]
    fn a_device_that_goes_away_is_an_error() {
        let (mut interrupt, kernel) = interrupt();
        drop(kernel);
        interrupt.wait(Duration::from_secs(1)).unwrap_err();
    }
}
