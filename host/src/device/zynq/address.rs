//! Where an accelerator on the bus is: its UIO device and its buffer.

use std::fmt;
use std::path::PathBuf;
use std::str::FromStr;

/// An accelerator on the bus, written `UIO[,BUFFER]`; what is not given is looked for.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ZynqAddress {
    /// The UIO device of its registers, such as `/dev/uio4`.
    pub uio: Option<PathBuf>,
    /// The buffer of u-dma-buf, such as `/dev/udmabuf0`.
    pub buffer: Option<PathBuf>,
}

impl FromStr for ZynqAddress {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let (uio, buffer) = match text.split_once(',') {
            None => (text, None),
            Some((uio, buffer)) => (uio, Some(buffer)),
        };
        if uio.is_empty() {
            return Err("the path of a UIO device is missing, such as /dev/uio4".into());
        }
        if buffer.is_some_and(|path| path.is_empty() || path.contains(',')) {
            return Err("after the comma comes the path of one buffer, such as /dev/udmabuf0".into());
        }
        Ok(Self { uio: Some(uio.into()), buffer: buffer.map(PathBuf::from) })
    }
}

impl fmt::Display for ZynqAddress {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let paths: Vec<_> =
            [&self.uio, &self.buffer].into_iter().flatten().map(|path| path.display().to_string()).collect();
        write!(f, "{}", paths.join(","))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn paths_are_read_and_written() {
        for text in ["/dev/uio4", "/dev/uio4,/dev/udmabuf0"] {
            assert_eq!(text.parse::<ZynqAddress>().unwrap().to_string(), text);
        }
        let address: ZynqAddress = "/dev/uio4,/dev/udmabuf0".parse().unwrap();
        assert_eq!(address.uio, Some("/dev/uio4".into()));
        assert_eq!(address.buffer, Some("/dev/udmabuf0".into()));
        assert_eq!(ZynqAddress::default().to_string(), "");
    }

    #[test]
    fn what_is_no_address_is_refused() {
        for (text, part) in
            [("", "UIO"), (",/dev/udmabuf0", "UIO"), ("x,", "buffer"), ("x,y,z", "one buffer")]
        {
            let error = text.parse::<ZynqAddress>().unwrap_err();
            assert!(error.contains(part), "{text}: {error}");
        }
    }
}
