//! Here so that cargo looks at the manifest's build dependencies; it has nothing to do.

fn main() {
    println!("cargo::rerun-if-changed=build.rs");
}
