//! Reads RFC 4180 as the result files write it: a field is NULL (empty, unquoted) or text.

/// One field as it stands in the file, quotes included.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Field<'a>(pub &'a str);

impl Field<'_> {
    /// The value: `None` is NULL.
    pub fn value(self) -> Option<String> {
        match self.0.strip_prefix('"') {
            Some(rest) => Some(rest.strip_suffix('"').unwrap_or(rest).replace("\"\"", "\"")),
            None if self.0.is_empty() => None,
            None => Some(self.0.to_owned()),
        }
    }
}

/// The records of a file, header first.
pub fn records(text: &str) -> Vec<Vec<Field<'_>>> {
    let (mut all, mut record, mut start, mut quoted) = (Vec::new(), Vec::new(), 0, false);
    for (at, byte) in text.bytes().enumerate() {
        match byte {
            b'"' => quoted = !quoted,
            b',' if !quoted => {
                record.push(Field(&text[start..at]));
                start = at + 1;
            }
            b'\n' if !quoted => {
                record.push(Field(&text[start..at]));
                all.push(std::mem::take(&mut record));
                start = at + 1;
            }
            _ => {}
        }
    }
    if start < text.len() {
        record.push(Field(&text[start..]));
        all.push(record);
    }
    all
}

/// The file with its last column emptied below the header in the lines of cells; everything else keeps its bytes.
pub fn blank_diagnoses_of_cells(text: &str) -> String {
    let mut blanked = String::new();
    for record in &records(text) {
        let is_of_cell = record.iter().any(|field| field.0 == "changed");
        let kept = record.len() - usize::from(is_of_cell);
        let mut fields: Vec<&str> = record[..kept].iter().map(|f| f.0).collect();
        if is_of_cell {
            fields.push("");
        }
        blanked.push_str(&fields.join(","));
        blanked.push('\n');
    }
    blanked
}

/// A header and its lines by name.
#[derive(Debug, Clone)]
pub struct Lines {
    pub header: Vec<String>,
    pub lines: Vec<Vec<Option<String>>>,
}

impl Lines {
    /// `Err` where a line has more or fewer fields than the header.
    pub fn parse(text: &str) -> Result<Lines, String> {
        let mut all = records(text).into_iter();
        let header: Vec<String> = all
            .next()
            .ok_or("no header")?
            .iter()
            .map(|f| f.value().unwrap_or_default())
            .collect();
        let lines: Vec<Vec<Option<String>>> = all.map(|record| record.iter().map(|f| f.value()).collect()).collect();
        match lines.iter().find(|line| line.len() != header.len()) {
            Some(line) => Err(format!("{} fields under a header of {}: {line:?}", line.len(), header.len())),
            None => Ok(Lines { header, lines }),
        }
    }

    pub fn index(&self, name: &str) -> Option<usize> {
        self.header.iter().position(|h| h == name)
    }
}

/// One line, closed with a line feed.
pub fn line(fields: &[Option<String>], out: &mut String) {
    for (at, field) in fields.iter().enumerate() {
        if at > 0 {
            out.push(',');
        }
        match field {
            None => {}
            Some(text) if text.is_empty() || text.contains(['"', ',', '\n', '\r']) => {
                out.push('"');
                out.push_str(&text.replace('"', "\"\""));
                out.push('"');
            }
            Some(text) => out.push_str(text),
        }
    }
    out.push('\n');
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn null_and_empty_text_are_told_apart() {
        let lines = Lines::parse("a,b\n,\"\"\n\"x\"\"y\n\",1\n").expect("two lines");
        assert_eq!(
            lines.lines,
            [[None, Some(String::new())], [Some("x\"y\n".into()), Some("1".into())]]
        );
    }

    #[test]
    fn blanking_keeps_the_other_bytes() {
        assert_eq!(
            blank_diagnoses_of_cells("a,kind,b\n\"1,\",changed,\"x\"\n,missing_in_live,y\n"),
            "a,kind,b\n\"1,\",changed,\n,missing_in_live,y\n"
        );
    }
}
