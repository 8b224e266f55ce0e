//! Where model files lie and which programs are used, from the environment; nothing else reads it.

use std::path::PathBuf;

/// The folder of model files: `LYCEUM_MODEL_DIR`, else the user's cache folder.
#[must_use]
pub fn model_dir() -> PathBuf {
    path("LYCEUM_MODEL_DIR").unwrap_or_else(|| {
        path("XDG_CACHE_HOME")
            .or_else(|| path("HOME").map(|home| home.join(".cache")))
            .unwrap_or_else(std::env::temp_dir)
            .join("lyceum")
            .join("models")
    })
}

/// The ONNX Runtime library that the administrator chose: `LYCEUM_ONNXRUNTIME`, then `ORT_DYLIB_PATH`.
#[must_use]
pub fn onnxruntime() -> Option<PathBuf> {
    path("LYCEUM_ONNXRUNTIME").or_else(|| path("ORT_DYLIB_PATH"))
}

/// The Python to call: `LYCEUM_PYTHON`, else `python3`.
#[must_use]
pub fn python() -> PathBuf {
    path("LYCEUM_PYTHON").unwrap_or_else(|| PathBuf::from("python3"))
}

/// Processors that may be used.
#[must_use]
pub fn cores() -> usize {
    std::thread::available_parallelism().map_or(1, usize::from)
}

fn path(name: &str) -> Option<PathBuf> {
    std::env::var_os(name).filter(|value| !value.is_empty()).map(PathBuf::from)
}
