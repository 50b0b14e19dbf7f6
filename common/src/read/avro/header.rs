//! The header of an Avro file with another schema in it.
//!
//! ```text
//! 'Obj' 1 | count, key, value, key, value, … , 0 | sync marker        a key or value is its length and its bytes
//! ```

use arrow_avro::compression::CompressionCodec;

/// The header of blocks that end in `sync`.
pub(in crate::read) fn with_schema(sync: [u8; 16], codec: Option<CompressionCodec>, schema: &str) -> Vec<u8> {
    let mut header = super::MAGIC.to_vec();
    let pairs = [("avro.schema", schema), ("avro.codec", codec_name(codec))];
    number(pairs.len(), &mut header);
    for text in pairs.iter().flat_map(|(key, value)| [*key, *value]) {
        number(text.len(), &mut header);
        header.extend(text.as_bytes());
    }
    number(0, &mut header);
    header.extend(sync);
    header
}

fn codec_name(codec: Option<CompressionCodec>) -> &'static str {
    match codec {
        None => "null",
        Some(CompressionCodec::Deflate) => "deflate",
        Some(CompressionCodec::Snappy) => "snappy",
        Some(CompressionCodec::ZStandard) => "zstandard",
        Some(CompressionCodec::Bzip2) => "bzip2",
        Some(CompressionCodec::Xz) => "xz",
    }
}

/// A zigzag varint.
pub(super) fn number(number: usize, header: &mut Vec<u8>) {
    let mut left = (number as u64) << 1;
    while left >= 0x80 {
        header.push(left as u8 | 0x80);
        left >>= 7;
    }
    header.push(left as u8);
}
