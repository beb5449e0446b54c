//! Where plugins come from: the store, registries, signatures, bundles.

mod registries;
mod store;
