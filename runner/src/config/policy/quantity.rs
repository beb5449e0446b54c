//! Times and amounts as the Kubernetes world writes them: `1h30m`, `500ms`, `128Mi`.

use std::borrow::Cow;
use std::time::Duration;

use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::de::{self, Deserializer, Visitor};
use serde::{Deserialize, Serialize, Serializer};

/// A time: numbers with units, for example `500ms`, `1.5s`, `1h30m`. Units are `ms`, `s`, `m`, `h` and `d`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, JsonSchema)]
#[schemars(extend("pattern" = r"^([0-9]+(\.[0-9]+)?(ms|s|m|h|d) ?)+$"))]
pub struct Span(#[schemars(with = "String")] pub Duration);

/// An amount of bytes: a number, or one with a unit, for example `128Mi`, `64Ki`, `1G`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Quantity(pub u64);

/// Nobody waits for longer; and sums of such times stay far from the end of the clock.
const LONGEST: Duration = Duration::from_secs(365 * 24 * 3600);

impl std::str::FromStr for Span {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        const HOW: &str = "write a time as `500ms`, `90s` or `1h30m`";
        let mut rest = text.trim();
        let mut sum = Duration::ZERO;
        if rest.is_empty() {
            return Err(format!("a time is missing; {HOW}"));
        }
        while !rest.is_empty() {
            let digits = rest.find(|c: char| !c.is_ascii_digit() && c != '.').unwrap_or(rest.len());
            let (number, tail) = rest.split_at(digits);
            let letters = tail.find(|c: char| !c.is_ascii_alphabetic()).unwrap_or(tail.len());
            let (unit, tail) = tail.split_at(letters);
            let seconds = match unit {
                "ms" => 0.001,
                "s" => 1.0,
                "m" => 60.0,
                "h" => 3600.0,
                "d" => 86400.0,
                "" => return Err(format!("{text:?} has a number without a unit; {HOW}")),
                _ => return Err(format!("{text:?} is not a time; {HOW}")),
            };
            let number: f64 = number.parse().map_err(|_| format!("{text:?} is not a time; {HOW}"))?;
            let part = Duration::try_from_secs_f64(number * seconds).unwrap_or(Duration::MAX);
            sum = sum.saturating_add(part);
            rest = tail.trim_start();
        }
        if sum > LONGEST { Err(format!("{text:?} is longer than a year")) } else { Ok(Self(sum)) }
    }
}

impl std::str::FromStr for Quantity {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let bad = || format!("{text:?} is not an amount of bytes; write it as `128Mi`, `64Ki` or a number");
        let digits = text.find(|c: char| !c.is_ascii_digit()).unwrap_or(text.len());
        let (number, unit) = text.split_at(digits);
        let unit: u64 = match unit {
            "" => 1,
            "k" | "K" => 1000,
            "M" => 1_000_000,
            "G" => 1_000_000_000,
            "Ki" => 1 << 10,
            "Mi" => 1 << 20,
            "Gi" => 1 << 30,
            _ => return Err(bad()),
        };
        let number: u64 = number.parse().map_err(|_| bad())?;
        number.checked_mul(unit).map(Self).ok_or_else(bad)
    }
}

impl<'de> Deserialize<'de> for Span {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        String::deserialize(deserializer)?.parse().map_err(de::Error::custom)
    }
}

impl Serialize for Span {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(&humantime::format_duration(self.0))
    }
}

impl JsonSchema for Quantity {
    fn schema_name() -> Cow<'static, str> {
        "Quantity".into()
    }

    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        json_schema!({
            "description": "An amount of bytes: a number, or one with a unit, for example `128Mi`, `64Ki`, `1G`.",
            "anyOf": [
                { "type": "integer", "minimum": 0 },
                { "type": "string", "pattern": "^[0-9]+(Ki|Mi|Gi|k|K|M|G)?$" },
            ],
        })
    }
}

impl<'de> Deserialize<'de> for Quantity {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Amount;

        impl Visitor<'_> for Amount {
            type Value = Quantity;

            fn expecting(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                f.write_str("an amount of bytes, as `128Mi` or a number,")
            }

            fn visit_u64<E: de::Error>(self, bytes: u64) -> Result<Quantity, E> {
                Ok(Quantity(bytes))
            }

            fn visit_str<E: de::Error>(self, text: &str) -> Result<Quantity, E> {
                text.parse().map_err(E::custom)
            }
        }

        deserializer.deserialize_any(Amount)
    }
}

impl Serialize for Quantity {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_u64(self.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_as_people_write_them() {
        let ms = |text: &str| text.parse::<Span>().map(|s| s.0.as_millis());
        assert_eq!(ms("500ms"), Ok(500));
        assert_eq!(ms("1.5s"), Ok(1500));
        assert_eq!(ms("1h30m"), Ok(5_400_000));
        assert_eq!(ms("2d 1s"), Ok(172_801_000));
        assert_eq!(ms("0s"), Ok(0));
        insta::assert_snapshot!(ms("90").unwrap_err(), @r#""90" has a number without a unit; write a time as `500ms`, `90s` or `1h30m`"#);
        insta::assert_snapshot!(ms("soon").unwrap_err(), @r#""soon" is not a time; write a time as `500ms`, `90s` or `1h30m`"#);
        insta::assert_snapshot!(ms("999999999999999999h").unwrap_err(), @r#""999999999999999999h" is longer than a year"#);
        for bad in ["", " ", "-1s", "1.2.3s", ".s", "1y", "1s-", "µ"] {
            assert!(ms(bad).is_err(), "{bad}");
        }
    }

    #[test]
    fn amounts_as_people_write_them() {
        let bytes = |text: &str| text.parse::<Quantity>().map(|q| q.0);
        assert_eq!(bytes("128Mi"), Ok(128 << 20));
        assert_eq!(bytes("64k"), Ok(64_000));
        assert_eq!(bytes("7"), Ok(7));
        insta::assert_snapshot!(bytes("128MB").unwrap_err(), @r#""128MB" is not an amount of bytes; write it as `128Mi`, `64Ki` or a number"#);
        for bad in ["", "Mi", "-1", "1.5Gi", "99999999999Gi"] {
            assert!(bytes(bad).is_err(), "{bad}");
        }
    }
}
