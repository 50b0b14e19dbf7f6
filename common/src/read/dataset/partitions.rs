//! Reads partition values out of `key=value` directories.

use percent_encoding::percent_decode_str;

/// How Hive and Spark spell NULL.
const NULL: &str = "__HIVE_DEFAULT_PARTITION__";

/// The partition columns of a file by its path below the dataset's root, outermost first.
pub(super) fn of(relative: &str) -> Result<Vec<(String, Option<String>)>, String> {
    let Some((directories, _)) = relative.rsplit_once('/') else {
        return Ok(Vec::new());
    };
    let mut partitions: Vec<(String, Option<String>)> = Vec::new();
    for directory in directories.split('/') {
        let Some((key, value)) = directory.split_once('=').filter(|(key, _)| !key.is_empty()) else {
            continue;
        };
        let key = decoded(key)?;
        if partitions.iter().any(|(other, _)| *other == key) {
            return Err(format!("two directories of the path give a value of `{key}`"));
        }
        let value = if value == NULL { None } else { Some(decoded(value)?) };
        partitions.push((key, value));
    }
    Ok(partitions)
}

/// Decoded once: `%253A` is the text `%3A`.
fn decoded(text: &str) -> Result<String, String> {
    let decoded = percent_decode_str(text).decode_utf8();
    Ok(decoded
        .map_err(|_| format!("the directory name part `{text}` is not UTF-8 after percent-decoding"))?
        .into_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn values() {
        let read = of("plain/slot=12%3A30/city=San%20Jos%C3%A9/x=%253A/n=__HIVE_DEFAULT_PARTITION__/e=/q=a=b/f=1.csv").expect("reads");
        let text = |key: &str, value: &str| (key.to_string(), Some(value.to_string()));
        let expected = [
            text("slot", "12:30"),
            text("city", "San José"),
            text("x", "%3A"),
            ("n".into(), None),
            text("e", ""),
            text("q", "a=b"),
        ];
        assert_eq!(read, expected);
        assert_eq!(of("f=1.csv"), Ok(Vec::new()));
        assert!(of("a=1/a=2/x.csv").is_err());
        assert!(of("a=%FF/x.csv").is_err());
    }
}
