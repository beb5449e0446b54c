//! Flags whose values are words of a run.

use clap::builder::{PossibleValue, PossibleValuesParser, TypedValueParser};

use crate::terms::Word;

/// Takes the words of `T`; `help` says what each does, in their order.
pub(super) fn word<T: Word + Send + Sync>(help: &'static [&'static str]) -> impl TypedValueParser<Value = T> {
    debug_assert_eq!(T::ALL.len(), help.len(), "each word has its help");
    let values = T::ALL.iter().zip(help).map(|(word, help)| PossibleValue::new(word.name()).help(*help));
    PossibleValuesParser::new(values).try_map(|given| T::from_name(&given).ok_or("it is none of the possible values"))
}

#[cfg(test)]
mod tests {
    use std::ffi::OsStr;

    use super::*;
    use crate::terms::StaleLearner;

    #[test]
    fn a_flag_takes_the_words_and_nothing_else() {
        let command = clap::Command::new("x");
        let given = |text: &str| word::<StaleLearner>(&["a", "b"]).parse_ref(&command, None, OsStr::new(text));
        assert_eq!(given("fail").unwrap(), StaleLearner::Fail);
        assert!(given("Fail").unwrap_err().to_string().contains("possible values: wait, fail"));
    }
}
