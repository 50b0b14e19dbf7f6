//! Numbers in few bytes: groups of 7 bits, the low ones first, the highest bit set where another group follows.

/// Appends a number.
pub fn write_number(mut number: u64, out: &mut Vec<u8>) {
    while number >= 0x80 {
        out.push(number as u8 | 0x80);
        number >>= 7;
    }
    out.push(number as u8);
}

/// Reads the number at `at` and goes on behind it; `None` where none is.
pub fn read_number(bytes: &[u8], at: &mut usize) -> Option<u64> {
    // Most numbers are lengths, which are short.
    if let Some(&byte) = bytes.get(*at)
        && byte < 0x80
    {
        *at += 1;
        return Some(byte.into());
    }
    let (mut number, mut shift) = (0u64, 0);
    loop {
        let byte = *bytes.get(*at)?;
        *at += 1;
        number |= u64::from(byte & 0x7f).checked_shl(shift)?;
        if byte & 0x80 == 0 {
            return Some(number);
        }
        shift += 7;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_come_back_and_what_is_cut_short_does_not() {
        let numbers = [0, 1, 127, 128, 300, 1 << 35, u64::MAX];
        let mut bytes = Vec::new();
        numbers.iter().for_each(|number| write_number(*number, &mut bytes));
        let mut at = 0;
        assert_eq!(numbers.map(|_| read_number(&bytes, &mut at)), numbers.map(Some));
        assert_eq!(read_number(&bytes, &mut at), None);
        assert_eq!(read_number(&[0x80; 11], &mut 0), None);
    }
}
