//! The parser process alone, for tests: the product runs the same code as a hidden command of `lyceum`.

fn main() -> std::process::ExitCode {
    std::process::ExitCode::from(u8::try_from(ingestion::sandbox::child_main()).unwrap_or(1))
}
