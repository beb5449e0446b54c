//! Hurting bytes: as a disk does, as a network does, and as somebody does who knows what they are.

use rand::Rng;
use rand::rngs::SmallRng;
use rand::seq::IndexedRandom;

/// What is done to an input.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Mutation {
    Nothing,
    Truncate,
    FlipBits,
    Delete,
    Duplicate,
    Swap,
    Splice,
    Insert,
    Number,
    Nest,
    Aliases,
    Long,
    Noise,
}

/// All of them.
const ALL: [Mutation; 13] = [
    Mutation::Nothing,
    Mutation::Truncate,
    Mutation::FlipBits,
    Mutation::Delete,
    Mutation::Duplicate,
    Mutation::Swap,
    Mutation::Splice,
    Mutation::Insert,
    Mutation::Number,
    Mutation::Nest,
    Mutation::Aliases,
    Mutation::Long,
    Mutation::Noise,
];

/// What a reader of text, of trees or of terminals may stumble over.
const PIECES: [&[u8]; 30] = [
    b"\0",
    b"\xff\xfe",
    b"\xef\xbb\xbf",
    b"\x1b[2J\x1b]0;owned\x07",
    b"\r\n",
    b"\t",
    "\u{202e}".as_bytes(),
    "\u{2028}".as_bytes(),
    b"---\n",
    b"...\n",
    b"&a ",
    b"*a",
    b"<<: *a\n",
    b"!!binary ",
    b"!!python/object:os.system ",
    b"? ",
    b": ",
    b"- ",
    b"{}",
    b"[]",
    b"null",
    b"~",
    b"true",
    b".nan",
    b".inf",
    b"../../../../etc/shadow",
    b"file:///etc/shadow",
    b"%s%n",
    b"\"",
    b"'",
];

/// Numbers at the edges of what a field may hold.
const NUMBERS: [&str; 12] = [
    "0",
    "-1",
    "1e309",
    "18446744073709551615",
    "18446744073709551616",
    "9223372036854775807",
    "-9223372036854775808",
    "4294967296",
    "0x7fffffff",
    "0777",
    "99999999999999999999999999999999999999",
    "1_000",
];

impl Mutation {
    /// One of them.
    pub(super) fn draw(rng: &mut SmallRng) -> Self {
        *ALL.choose(rng).expect("there are some")
    }

    /// Its kind, for statistics.
    pub(super) fn kind(self) -> &'static str {
        match self {
            Self::Nothing => "nothing",
            Self::Truncate => "truncated",
            Self::FlipBits => "bits flipped",
            Self::Delete => "a part deleted",
            Self::Duplicate => "a part twice",
            Self::Swap => "parts swapped",
            Self::Splice => "spliced with another",
            Self::Insert => "something odd inserted",
            Self::Number => "an absurd number",
            Self::Nest => "deeply nested",
            Self::Aliases => "aliases that unfold",
            Self::Long => "very long",
            Self::Noise => "noise",
        }
    }

    /// Whether it is what a disk does to a file that is appended to: the end is missing, or bits are wrong.
    pub(super) fn a_disk_does_it(self) -> bool {
        matches!(self, Self::Nothing | Self::Truncate | Self::FlipBits)
    }

    /// Hurts the input; `other` is for splicing.
    pub(super) fn apply(self, rng: &mut SmallRng, input: &[u8], other: &[u8]) -> Vec<u8> {
        let mut bytes = input.to_vec();
        let place = rng.random_range(0..=bytes.len());
        match self {
            Self::Nothing => {}
            Self::Truncate => bytes.truncate(place),
            Self::FlipBits => {
                for _ in 0..rng.random_range(1..8) {
                    let place = rng.random_range(0..bytes.len().max(1));
                    if let Some(byte) = bytes.get_mut(place) {
                        *byte ^= 1 << rng.random_range(0..8);
                    }
                }
            }
            Self::Delete => drop(bytes.drain(part(rng, input))),
            Self::Duplicate => {
                let part = input[part(rng, input)].to_vec();
                let times = *[1, 1, 2, 100].choose(rng).expect("a number");
                bytes.splice(place..place, part.repeat(times));
            }
            Self::Swap => {
                let taken: Vec<u8> = bytes.drain(part(rng, input)).collect();
                let place = rng.random_range(0..=bytes.len());
                bytes.splice(place..place, taken);
            }
            Self::Splice => {
                bytes.truncate(place);
                bytes.extend_from_slice(&other[rng.random_range(0..=other.len())..]);
            }
            Self::Insert => {
                let piece = *PIECES.choose(rng).expect("there are some");
                bytes.splice(place..place, piece.iter().copied());
            }
            Self::Number => {
                let number = NUMBERS.choose(rng).expect("there are some").bytes();
                let digits: Vec<usize> = (0..bytes.len()).filter(|i| bytes[*i].is_ascii_digit()).collect();
                match digits.choose(rng) {
                    Some(at) => drop(bytes.splice(*at..=*at, number)),
                    None => bytes.extend(number),
                }
            }
            Self::Nest => {
                let depth = *[100, 1_000, 100_000].choose(rng).expect("a number");
                let opening = *[&b"["[..], b"{\"a\":", b"- ", b"(", b"{a: "].choose(rng).expect("one");
                bytes.splice(place..place, opening.repeat(depth));
            }
            Self::Aliases => bytes.splice(place..place, laughs(rng.random_range(3..40))).for_each(drop),
            Self::Long => {
                let length = *[1_000, 100_000, 2_000_000].choose(rng).expect("a number");
                let filler = *[&b"a"[..], b" ", b"\n", b"0", b"a: 1\n", b"a=1\n"].choose(rng).expect("one");
                bytes.splice(place..place, filler.repeat(length / filler.len()));
            }
            Self::Noise => bytes = (0..rng.random_range(0..4_000)).map(|_| rng.random()).collect(),
        }
        bytes
    }
}

/// A part of the input, of any length; often a whole number of lines.
fn part(rng: &mut SmallRng, input: &[u8]) -> std::ops::Range<usize> {
    let mut from = rng.random_range(0..=input.len());
    let mut to = rng.random_range(from..=input.len());
    if rng.random() {
        let line = |at: usize| input[..at].iter().rposition(|b| *b == b'\n').map_or(0, |i| i + 1);
        (from, to) = (line(from), line(to));
    }
    from..to.max(from)
}

/// Aliases of aliases: each level ten times the one before.
fn laughs(levels: usize) -> Vec<u8> {
    let mut text = "\na0: &a0 [lol]\n".to_owned();
    for level in 1..levels {
        let below = format!("*a{}, ", level - 1).repeat(10);
        text.push_str(&format!("a{level}: &a{level} [{below}]\n"));
    }
    text.into_bytes()
}
