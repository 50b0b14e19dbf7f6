//! Leaves out of a footer what nothing here reads and some writers have filled with types of their own.
//!
//! The footer is Thrift's compact form, in which a reader passes over what it does not know. The decoder knows the newest
//! fields of a column chunk by their numbers and takes whatever stands there for them; older writers used those numbers.
//!
//! ```text
//! struct = field, field, … , 0         field = step of the number and type (a byte), or 0 and type, number; then the value
//! list   = length and type of items (a byte, or 15 and type, length); then the items
//! file.4 = row groups        row group.1 = column chunks        column chunk.3 = where and how it is stored
//! ```

/// Fields of a column chunk from here on: bloom filters, sizes, bounds of shapes.
const FIRST_UNREAD: i64 = 14;
const MAX_DEPTH: usize = 32;

const STOP: u8 = 0;
const TRUE: u8 = 1;
const FALSE: u8 = 2;
const BYTE: u8 = 3;
const I16: u8 = 4;
const I64: u8 = 6;
const DOUBLE: u8 = 7;
const BINARY: u8 = 8;
const LIST: u8 = 9;
const SET: u8 = 10;
const STRUCT: u8 = 12;

/// What a struct is, as far as it matters.
#[derive(Debug, Clone, Copy, PartialEq)]
enum Place {
    File,
    RowGroup,
    Chunk,
    Column,
    Other,
}

impl Place {
    fn inside(self, field: i64) -> Place {
        match (self, field) {
            (Place::File, 4) => Place::RowGroup,
            (Place::RowGroup, 1) => Place::Chunk,
            (Place::Chunk, 3) => Place::Column,
            (Place::File | Place::RowGroup | Place::Chunk | Place::Column | Place::Other, _) => Place::Other,
        }
    }
}

/// The footer without those fields; `None` where it is no such struct.
pub(super) fn trimmed(footer: &[u8]) -> Option<Vec<u8>> {
    let mut copy = Copy {
        left: footer,
        out: Vec::with_capacity(footer.len()),
    };
    copy.fields(Place::File, 0)?;
    Some(copy.out)
}

struct Copy<'a> {
    left: &'a [u8],
    out: Vec<u8>,
}

impl Copy<'_> {
    fn take(&mut self, length: usize) -> Option<()> {
        let (taken, left) = self.left.split_at_checked(length)?;
        self.out.extend(taken);
        self.left = left;
        Some(())
    }

    fn byte(&mut self) -> Option<u8> {
        let (byte, left) = self.left.split_first()?;
        self.left = left;
        Some(*byte)
    }

    fn number(&mut self) -> Option<u64> {
        let mut number = 0u64;
        for shift in (0..64).step_by(7) {
            let byte = self.byte()?;
            number |= u64::from(byte & 0x7f) << shift;
            if byte & 0x80 == 0 {
                return Some(number);
            }
        }
        None
    }

    fn put_number(&mut self, mut number: u64) {
        while number >= 0x80 {
            self.out.push(number as u8 | 0x80);
            number >>= 7;
        }
        self.out.push(number as u8);
    }

    fn fields(&mut self, place: Place, depth: usize) -> Option<()> {
        let (mut number, mut written) = (0i64, 0i64);
        loop {
            let head = self.byte()?;
            if head == STOP {
                self.out.push(STOP);
                return Some(());
            }
            let (step, kind) = (i64::from(head >> 4), head & 15);
            number = match step {
                0 => zigzag(self.number()?),
                step => number + step,
            };
            let before = self.out.len();
            match number - written {
                step @ 1..=15 => self.out.push((step as u8) << 4 | kind),
                _ => {
                    self.out.push(kind);
                    self.put_number((number << 1 ^ number >> 63) as u64);
                }
            }
            self.value(kind, place.inside(number), depth + 1)?;
            if place == Place::Column && number >= FIRST_UNREAD {
                self.out.truncate(before);
            } else {
                written = number;
            }
        }
    }

    fn value(&mut self, kind: u8, place: Place, depth: usize) -> Option<()> {
        match kind {
            TRUE | FALSE => Some(()),
            BYTE => self.take(1),
            I16..=I64 => {
                let number = self.number()?;
                self.put_number(number);
                Some(())
            }
            DOUBLE => self.take(8),
            BINARY => {
                let length = self.number()?;
                self.put_number(length);
                self.take(usize::try_from(length).ok()?)
            }
            LIST | SET => self.list(place, depth),
            STRUCT if depth < MAX_DEPTH => self.fields(place, depth),
            _ => None,
        }
    }

    fn list(&mut self, place: Place, depth: usize) -> Option<()> {
        let head = self.byte()?;
        self.out.push(head);
        let length = match head >> 4 {
            15 => {
                let length = self.number()?;
                self.put_number(length);
                length
            }
            short => u64::from(short),
        };
        for _ in 0..length {
            match head & 15 {
                // In a list a truth has a byte of its own.
                TRUE | FALSE => self.take(1)?,
                kind => self.value(kind, place, depth)?,
            }
        }
        Some(())
    }
}

fn zigzag(number: u64) -> i64 {
    (number >> 1) as i64 ^ -((number & 1) as i64)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_late_fields_of_column_chunks_are_left_out() {
        // file.1 = 2, file.4 = [{1: [{3: {1: 5, 14: 7, 15: "x", 16: {}}}], 14: 3}]
        let column = [0x15, 10, 0xd5, 14, 0x18, 1, b'x', 0x1c, 0, 0];
        let head = [0x15, 4, 0x39, 0x1c, 0x19, 0x1c, 0x3c];
        let tail = [0, 0xd5, 6, 0, 0];
        let footer = [&head[..], &column, &tail].concat();
        let expected = [&head[..], &[0x15, 10, 0], &tail].concat();
        assert_eq!(trimmed(&footer), Some(expected));
        for length in 0..footer.len() {
            assert_eq!(trimmed(&footer[..length]), None);
        }
    }
}
