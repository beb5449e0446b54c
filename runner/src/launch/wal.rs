//! The ids in a write-ahead log's header: who a data directory belongs to.
//!
//! Every segment (`member/wal/<sequence>-<index>.wal`, hex) begins with a checksum record and a metadata record. A record is
//! framed by a little-endian 64-bit word: the low 56 bits are its length, and when the top bit is set, bits 56 to 58 are the
//! number of padding bytes behind it. It is a protobuf message: 1 = type (4: checksum, 1: metadata), 2 = CRC-32C over all data
//! so far, 3 = data. The metadata's own message has 1 = the member's id and 2 = the cluster's.
//! Source: etcd's `server/storage/wal` (`encoder.go`, `decoder.go`, `walpb/record.proto`), the same from 3.4 to 3.7.

use std::fs::File;
use std::io::{self, Read};
use std::path::Path;

/// The two records are some 60 bytes.
const ENOUGH: u64 = 4096;

const METADATA: u64 = 1;
const CHECKSUM: u64 = 4;

/// Who a write-ahead log belongs to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Header {
    pub(super) member_id: u64,
    pub(super) cluster_id: u64,
}

/// Why there is no header to be had.
#[derive(Debug, thiserror::Error)]
pub(super) enum WalError {
    /// There is no segment.
    #[error("there is no write-ahead log")]
    None,
    /// The file or folder cannot be read.
    #[error("the write-ahead log cannot be read: {0}")]
    Io(#[from] io::Error),
    /// The bytes are not those of a header.
    #[error("the write-ahead log's header is damaged: {0}")]
    Damaged(&'static str),
}

/// One record.
#[derive(Debug, Default)]
struct Record<'a> {
    kind: u64,
    crc: u64,
    data: &'a [u8],
}

/// Reads the header of the oldest segment in this folder.
pub(super) fn read_header(folder: &Path) -> Result<Header, WalError> {
    let entries = match folder.read_dir() {
        Ok(entries) => entries,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Err(WalError::None),
        Err(error) => return Err(error.into()),
    };
    let mut segments = Vec::new();
    for entry in entries {
        let path = entry?.path();
        if path.extension().is_some_and(|e| e == "wal") {
            segments.push(path);
        }
    }
    let oldest = segments.into_iter().min().ok_or(WalError::None)?;
    let mut bytes = Vec::new();
    File::open(oldest)?.take(ENOUGH).read_to_end(&mut bytes)?;
    parse(&bytes)
}

fn parse(mut bytes: &[u8]) -> Result<Header, WalError> {
    let checksum = next_record(&mut bytes)?;
    if checksum.kind != CHECKSUM {
        return Err(WalError::Damaged("it does not begin with a checksum"));
    }
    let metadata = next_record(&mut bytes)?;
    if metadata.kind != METADATA {
        return Err(WalError::Damaged("its second record is not the metadata"));
    }
    // Over the data only, and carried on from the segment before, which the checksum record repeats.
    if u64::from(crc32c(checksum.crc as u32, metadata.data)) != metadata.crc {
        return Err(WalError::Damaged("the checksum does not match"));
    }
    let mut header = Header { member_id: 0, cluster_id: 0 };
    let mut rest = metadata.data;
    while let Some((field, value)) = next_field(&mut rest)? {
        match (field, value) {
            (1, Value::Number(id)) => header.member_id = id,
            (2, Value::Number(id)) => header.cluster_id = id,
            _ => {}
        }
    }
    if header.member_id == 0 || header.cluster_id == 0 {
        return Err(WalError::Damaged("it names no member and cluster"));
    }
    Ok(header)
}

fn next_record<'a>(bytes: &mut &'a [u8]) -> Result<Record<'a>, WalError> {
    let (word, rest) = bytes.split_first_chunk::<8>().ok_or(WalError::Damaged("it is cut short"))?;
    let word = u64::from_le_bytes(*word);
    let length = usize::try_from(word & 0x00ff_ffff_ffff_ffff).map_err(|_| WalError::Damaged("a length is absurd"))?;
    let padding = if word >> 63 == 1 { (word >> 56 & 7) as usize } else { 0 };
    if length == 0 {
        return Err(WalError::Damaged("it is empty"));
    }
    let frame =
        length.checked_add(padding).filter(|frame| *frame <= rest.len()).ok_or(WalError::Damaged("it is cut short"))?;
    let (mut message, _) = rest.split_at(length);
    *bytes = &rest[frame..];
    let mut record = Record::default();
    while let Some((field, value)) = next_field(&mut message)? {
        match (field, value) {
            (1, Value::Number(kind)) => record.kind = kind,
            (2, Value::Number(crc)) => record.crc = crc,
            (3, Value::Bytes(data)) => record.data = data,
            _ => {}
        }
    }
    Ok(record)
}

enum Value<'a> {
    Number(u64),
    Bytes(&'a [u8]),
}

/// The next protobuf field. Only the two wire types that these messages use.
fn next_field<'a>(bytes: &mut &'a [u8]) -> Result<Option<(u64, Value<'a>)>, WalError> {
    if bytes.is_empty() {
        return Ok(None);
    }
    let tag = varint(bytes)?;
    let value = match tag & 7 {
        0 => Value::Number(varint(bytes)?),
        2 => {
            let length = usize::try_from(varint(bytes)?).map_err(|_| WalError::Damaged("a length is absurd"))?;
            let (data, rest) = bytes.split_at_checked(length).ok_or(WalError::Damaged("a field is cut short"))?;
            *bytes = rest;
            Value::Bytes(data)
        }
        _ => return Err(WalError::Damaged("a field has a type that does not belong there")),
    };
    Ok(Some((tag >> 3, value)))
}

fn varint(bytes: &mut &[u8]) -> Result<u64, WalError> {
    let mut value = 0u64;
    for shift in (0..64).step_by(7) {
        let (byte, rest) = bytes.split_first().ok_or(WalError::Damaged("a number is cut short"))?;
        *bytes = rest;
        value |= u64::from(byte & 0x7f) << shift;
        if byte & 0x80 == 0 {
            return Ok(value);
        }
    }
    Err(WalError::Damaged("a number is too long"))
}

/// CRC-32C (Castagnoli) bit by bit: twenty bytes need no table.
fn crc32c(seed: u32, bytes: &[u8]) -> u32 {
    let mut crc = !seed;
    for byte in bytes {
        crc ^= u32::from(*byte);
        for _ in 0..8 {
            crc = crc >> 1 ^ if crc & 1 == 1 { 0x82f6_3b78 } else { 0 };
        }
    }
    !crc
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    /// A header as etcd writes it: member 0x8e9e05c52164694d of cluster 0xcdf818194e3a8c32.
    fn header(crc: u32) -> Vec<u8> {
        let mut data = vec![0x08];
        push_varint(&mut data, 0x8e9e_05c5_2164_694d);
        data.push(0x10);
        push_varint(&mut data, 0xcdf8_1819_4e3a_8c32);
        let mut bytes = Vec::new();
        push_record(&mut bytes, 4, crc, None);
        push_record(&mut bytes, 1, crc32c(crc, &data), Some(&data));
        bytes
    }

    fn push_varint(bytes: &mut Vec<u8>, mut value: u64) {
        while value >= 0x80 {
            bytes.push(value as u8 | 0x80);
            value >>= 7;
        }
        bytes.push(value as u8);
    }

    fn push_record(bytes: &mut Vec<u8>, kind: u64, crc: u32, data: Option<&[u8]>) {
        let mut message = vec![0x08, kind as u8, 0x10];
        push_varint(&mut message, u64::from(crc));
        if let Some(data) = data {
            message.extend([0x1a, data.len() as u8]);
            message.extend(data);
        }
        let padding = (8 - message.len() % 8) % 8;
        let top = if padding == 0 { 0 } else { (0x80 | padding as u64) << 56 };
        bytes.extend((message.len() as u64 | top).to_le_bytes());
        bytes.extend(message);
        bytes.extend(vec![0; padding]);
    }

    #[test]
    fn the_checksum_is_castagnolis() {
        // The check value that CRC catalogues give for "123456789".
        assert_eq!(crc32c(0, b"123456789"), 0xe306_9283);
        assert_eq!(crc32c(crc32c(0, b"1234"), b"56789"), 0xe306_9283);
    }

    #[test]
    fn a_header_is_read_in_a_first_and_in_a_later_segment() {
        for crc in [0, 0xdead_beef] {
            let found = parse(&header(crc)).unwrap();
            assert_eq!(found, Header { member_id: 0x8e9e_05c5_2164_694d, cluster_id: 0xcdf8_1819_4e3a_8c32 });
        }
    }

    #[test]
    fn damage_is_noticed() {
        let good = header(0);
        for at in 0..good.len() - 8 {
            let mut bad = good.clone();
            bad[at] ^= 0x10;
            // A flipped bit in the padding's count or in the padding changes nothing that was read.
            let harmless = parse(&bad).is_ok_and(|h| h == parse(&good).unwrap());
            assert!(parse(&bad).is_err() || harmless, "byte {at}");
        }
        for length in 0..good.len() - 8 {
            assert!(parse(&good[..length]).is_err(), "cut at {length}");
        }
        assert!(parse(&[0; 4096]).unwrap_err().to_string().contains("it is empty"));
    }

    proptest! {
        #[test]
        fn garbage_never_panics(bytes in proptest::collection::vec(any::<u8>(), 0..200)) {
            let _ = parse(&bytes);
        }

        #[test]
        fn damaged_headers_never_panic(at in 0usize..60, byte: u8) {
            let mut bytes = header(0);
            let at = at % bytes.len();
            bytes[at] = byte;
            let _ = parse(&bytes);
        }
    }
}
