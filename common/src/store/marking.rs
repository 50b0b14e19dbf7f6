//! What the bytes of a file are known by: their number and digest, as they go by.

use ring::digest::{Context, SHA256};
use shadowdiff_core::report::FileMark;
use std::fmt;
use std::io::{self, Write};

/// Length and digest of bytes as they go by.
#[derive(Clone)]
pub struct Marking {
    digest: Context,
    size_bytes: u64,
}

impl fmt::Debug for Marking {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Marking")
            .field("size_bytes", &self.size_bytes)
            .finish_non_exhaustive()
    }
}

impl Default for Marking {
    fn default() -> Self {
        Marking {
            digest: Context::new(&SHA256),
            size_bytes: 0,
        }
    }
}

impl Marking {
    /// What these bytes are known by.
    pub fn of(bytes: &[u8]) -> FileMark {
        let mut marking = Marking::default();
        marking.update(bytes);
        marking.finish()
    }

    pub fn update(&mut self, bytes: &[u8]) {
        self.digest.update(bytes);
        self.size_bytes += bytes.len() as u64;
    }

    pub fn finish(self) -> FileMark {
        let sha256 = self.digest.finish().as_ref().iter().map(|byte| format!("{byte:02x}")).collect();
        FileMark {
            size_bytes: self.size_bytes,
            sha256,
        }
    }
}

impl Write for Marking {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.update(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}
