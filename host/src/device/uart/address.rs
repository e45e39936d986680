//! Where a board is: the path of a serial line and its speed.

use std::fmt;
use std::path::PathBuf;
use std::str::FromStr;

/// Bits per second if nobody says otherwise.
pub const DEFAULT_BAUD: u32 = 2_000_000;

/// A serial line, written `PATH[,BAUD]`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct UartAddress {
    /// The terminal device, such as `/dev/ttyUSB0`.
    pub path: PathBuf,
    /// Bits per second, above zero.
    pub baud: u32,
}

impl FromStr for UartAddress {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let (path, baud) = match text.rsplit_once(',') {
            None => (text, DEFAULT_BAUD),
            Some((path, baud)) => match baud.parse() {
                Ok(baud) if baud > 0 => (path, baud),
                _ => return Err(format!("`{baud}` is no baud rate, a whole number above zero")),
            },
        };
        if path.is_empty() {
            return Err("the path of a serial line is missing, such as /dev/ttyUSB0".into());
        }
        Ok(Self { path: path.into(), baud })
    }
}

impl fmt::Display for UartAddress {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{},{}", self.path.display(), self.baud)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn path_and_baud_are_read_and_written() {
        let address: UartAddress = "/dev/ttyUSB0".parse().unwrap();
        assert_eq!(address, UartAddress { path: "/dev/ttyUSB0".into(), baud: 2_000_000 });
        assert_eq!(address.to_string(), "/dev/ttyUSB0,2000000");
        assert_eq!("a,b,115200".parse(), Ok(UartAddress { path: "a,b".into(), baud: 115_200 }));
    }

    #[test]
    fn what_is_no_address_is_refused() {
        for (text, part) in
            [("", "path"), (",9600", "path"), ("x,", "``"), ("x,fast", "`fast`"), ("x,0", "`0`")]
        {
            let error = text.parse::<UartAddress>().unwrap_err();
            assert!(error.contains(part), "{text}: {error}");
        }
    }
}
