//! Writing plugins: the project file, starting a project from a template, and building it into a component with the tools of
//! its own language.
//!
//! Each language's module knows its tools and nothing else of the others: it writes a component to the place that the [`Job`]
//! names. What holds for all of them (the contract, the check of the result, how a missing tool is told) is here, once.

pub use build::{Built, Job, build};
pub use new::create;
pub use project::{Language, PROJECT_FILE, Project};

pub mod contract;
pub mod tools;

mod build;
mod files;
mod go;
mod new;
mod project;
