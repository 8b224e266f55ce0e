//! The browser client is embedded from `web/dist`. Cargo must notice when it is built, also for the first time.

fn main() {
    let dist = std::path::Path::new("../web/dist");
    // An absent folder would count as changed in every build; an empty one means "not built".
    if std::fs::create_dir_all(dist).is_ok() {
        println!("cargo:rerun-if-changed=../web/dist");
    } else {
        println!("cargo:rerun-if-changed=build.rs");
    }
}
