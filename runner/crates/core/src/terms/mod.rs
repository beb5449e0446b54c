//! Words that a run, its events, its journal and its configuration share: each an enum that is written the same everywhere.
//!
//! They stand below everything else, so that an event can carry them and a policy file be read into them.

pub use plugins::{FailurePolicy, FaultKind, LogLevel, Mode, Severity, VerdictKind};
pub use run::{Outcome, RunKind, Step};
pub use settings::{LauncherKind, OnApprovalTimeout, SilentLearner, StaleLearner};

mod plugins;
mod run;
mod settings;

/// An enum of words. Made by the macro of this module.
pub trait Word: Copy + PartialEq + 'static {
    /// The enum's name.
    const TYPE: &'static str;
    /// What it is about, in one sentence.
    const ABOUT: &'static str;
    /// Every [`variant`](Self::variant), in their order.
    const VARIANTS: &'static [&'static str];
    /// All of them, in their order.
    const ALL: &'static [Self];

    /// In kebab-case: in events, journals, records and on the command line.
    fn name(self) -> &'static str;

    /// As the variant is spelled: in policy files, where Kubernetes' habit is kept.
    fn variant(self) -> &'static str;

    /// What it means, in one sentence.
    fn meaning(self) -> &'static str;

    /// The word of this [`name`](Self::name).
    fn from_name(name: &str) -> Option<Self> {
        Self::ALL.iter().copied().find(|word| word.name() == name)
    }
}

/// Defines enums of words: kebab-case in JSON, in text and as `name()`.
macro_rules! words {
    ($(
        $(#[doc = $about:literal])+
        $(#[derive($($derived:ident),+)])?
        pub enum $name:ident {
            $( $(#[doc = $doc:literal])+ $(#[$default:ident])? $variant:ident = $word:literal, )+
        }
    )+) => { $(
        $(#[doc = $about])+
        #[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, serde::Serialize, serde::Deserialize $(, $($derived),+)?)]
        pub enum $name {
            $( $(#[doc = $doc])+ $(#[$default])? #[serde(rename = $word)] $variant, )+
        }

        impl $name {
            /// Its word in kebab-case, as in events, journals and records.
            pub fn name(self) -> &'static str {
                match self { $( Self::$variant => $word, )+ }
            }
        }

        impl $crate::terms::Word for $name {
            const TYPE: &'static str = stringify!($name);
            const ABOUT: &'static str = concat!($($about),+);
            const VARIANTS: &'static [&'static str] = &[$( stringify!($variant) ),+];
            const ALL: &'static [Self] = &[$( Self::$variant ),+];

            fn name(self) -> &'static str {
                self.name()
            }

            fn variant(self) -> &'static str {
                match self { $( Self::$variant => stringify!($variant), )+ }
            }

            fn meaning(self) -> &'static str {
                match self { $( Self::$variant => concat!($($doc),+), )+ }
            }
        }

        impl std::fmt::Display for $name {
            fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                f.pad(self.name())
            }
        }
    )+ };
}
use words;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_word_is_the_same_in_text_and_in_json() {
        assert_eq!(Outcome::RolledBackOnRequest.to_string(), "rolled-back-on-request");
        assert_eq!(serde_json::to_string(&Outcome::RolledBackOnRequest).unwrap(), "\"rolled-back-on-request\"");
        assert_eq!(serde_json::from_str::<Step>("\"add-learner\"").unwrap(), Step::AddLearner);
        assert_eq!(
            (Mode::Monitor.variant(), Mode::ALL.len(), format!("{:>9}|", Mode::Monitor).as_str()),
            ("Monitor", 2, "  monitor|")
        );
    }

    #[test]
    fn no_word_is_there_twice() {
        fn check<T: Word + std::fmt::Debug>() {
            for (at, word) in T::ALL.iter().enumerate() {
                assert_eq!(T::ALL.iter().position(|w| w.name() == word.name()), Some(at), "{word:?}");
                assert_eq!(T::from_name(word.name()), Some(*word));
            }
        }
        check::<Outcome>();
        check::<Step>();
        check::<RunKind>();
        check::<VerdictKind>();
        check::<FaultKind>();
        check::<LauncherKind>();
    }
}
