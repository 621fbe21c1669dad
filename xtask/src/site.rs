//! The steps from source to site: compile, bind, optimize, name by content, compress.

use std::{
    fs,
    path::{Path, PathBuf},
    process::Command,
};

use wasm_bindgen_cli_support::Bindgen;

use crate::{
    Result,
    compress::{beside, compress},
    inputs::{collect, digest, digest_folder, short_hash},
};

/// `output-name` and `site-pkg-dir` of `[package.metadata.leptos]`.
const NAME: &str = "vestibule";
const PKG: &str = "auth/assets/pkg";

/// How the wasm is compiled.
#[derive(Clone, Copy)]
pub(crate) enum Build {
    /// Optimized for size: what `make run` and `make build` serve.
    Release,
    /// Unoptimized.
    Dev,
}

impl Build {
    /// Cargo's profile, and the folder under `target` that cargo names after it.
    fn profile(self) -> (&'static str, &'static str) {
        match self {
            Self::Release => ("wasm-release", "wasm-release"),
            Self::Dev => ("dev", "debug"),
        }
    }
}

/// Makes `target/site`, or says that it is up to date.
///
/// The folder is always `target/site` in the repository, wherever `CARGO_TARGET_DIR` points: the server embeds it
/// from there.
pub(crate) fn make(root: &Path, build: Build) -> Result<()> {
    let target = root.join("target");
    fs::create_dir_all(&target).map_err(|error| format!("{}: {error}", target.display()))?;
    let (site, stamp) = (target.join("site"), target.join("site.stamp"));
    let (profile, _) = build.profile();
    let mut tools = vec![profile.to_owned(), output(Command::new("rustc").arg("--version").current_dir(root))?];
    if let Build::Release = build {
        tools.push(output(wasm_opt().arg("--version"))?);
    }
    let inputs = digest(root, &tools.iter().map(String::as_str).collect::<Vec<_>>())?;
    // The second half is there because cargo-leptos writes to the same folder.
    let made = |site: &Path| Ok::<_, String>(format!("{inputs} {}", digest_folder(site)?));
    if fs::read_to_string(&stamp).is_ok_and(|found| made(&site).is_ok_and(|made| found == made)) {
        println!("target/site is up to date");
        return Ok(());
    }

    let wasm = compile(root, build)?;
    let (script, wasm) = bind(&wasm)?;
    let wasm = match build {
        Build::Release => optimize(&wasm, &target)?,
        Build::Dev => wasm,
    };
    let style = root.join("style/main.css");
    let style = fs::read(&style).map_err(|error| format!("{}: {error}", style.display()))?;

    // Made beside and moved at the end: a failure leaves the former site, and cargo notices files added to it.
    let new = target.join("site.new");
    remove(&new)?;
    let pkg = new.join(PKG);
    fs::create_dir_all(&pkg).map_err(|error| format!("{}: {error}", pkg.display()))?;
    for (content, extension) in [(script.as_bytes(), "js"), (&wasm, "wasm"), (&style, "css")] {
        let file = pkg.join(format!("{NAME}.{}.{extension}", short_hash(content)));
        fs::write(&file, content).map_err(|error| format!("{}: {error}", file.display()))?;
    }
    copy_folder(&root.join("public"), &new)?;
    let mut files = Vec::new();
    collect(&new, &mut files)?;
    for file in &files {
        compress(file)?;
    }
    remove(&site)?;
    fs::rename(&new, &site).map_err(|error| format!("{}: {error}", site.display()))?;
    fs::write(&stamp, made(&site)?).map_err(|error| format!("{}: {error}", stamp.display()))?;
    report(&site)
}

/// Compiles the browser's half and returns the wasm's path.
fn compile(root: &Path, build: Build) -> Result<PathBuf> {
    let (profile, folder) = build.profile();
    let target = std::env::var_os("CARGO_TARGET_DIR").map_or_else(|| root.join("target"), |path| root.join(path));
    let triple = "wasm32-unknown-unknown";
    let cargo = std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into());
    run(Command::new(cargo)
        .args(["build", "-p", NAME, "--lib", "--no-default-features", "--features", "hydrate"])
        .args(["--target", triple, "--profile", profile, "--target-dir"])
        .arg(&target)
        .current_dir(root))?;
    Ok(target.join(triple).join(folder).join(NAME).with_extension("wasm"))
}

/// The glue and the wasm that it loads.
fn bind(wasm: &Path) -> Result<(String, Vec<u8>)> {
    let fault = |error| format!("wasm-bindgen: {error:#}");
    let mut output = Bindgen::new()
        .input_path(wasm)
        .web(true)
        .map_err(fault)?
        .typescript(false)
        .remove_name_section(true)
        .remove_producers_section(true)
        // It would name a file `vestibule_bg.wasm`; the page passes the real name.
        .omit_default_module_path(true)
        .generate_output()
        .map_err(fault)?;
    if output.snippets().values().any(|files| !files.is_empty()) || !output.local_modules().is_empty() {
        return Err("a crate brings JavaScript files of its own, which the site has no room for".into());
    }
    let wasm = output.wasm_mut().emit_wasm();
    Ok((output.js().to_owned(), wasm))
}

/// `wasm-opt` with the flags that cargo-leptos gives it.
fn optimize(wasm: &[u8], folder: &Path) -> Result<Vec<u8>> {
    let (input, output) = (folder.join("unoptimized.wasm"), folder.join("optimized.wasm"));
    fs::write(&input, wasm).map_err(|error| format!("{}: {error}", input.display()))?;
    run(wasm_opt()
        .args(["-Oz", "--enable-bulk-memory", "--enable-nontrapping-float-to-int", "-o"])
        .args([&output, &input]))?;
    let optimized = fs::read(&output).map_err(|error| format!("{}: {error}", output.display()))?;
    for file in [input, output] {
        fs::remove_file(&file).map_err(|error| format!("{}: {error}", file.display()))?;
    }
    Ok(optimized)
}

fn wasm_opt() -> Command {
    Command::new("wasm-opt")
}

fn copy_folder(from: &Path, to: &Path) -> Result<()> {
    let mut files = Vec::new();
    collect(from, &mut files)?;
    for file in files {
        let copy = to.join(file.strip_prefix(from).unwrap_or(&file));
        let folder = copy.parent().unwrap_or(to);
        fs::create_dir_all(folder)
            .and_then(|()| fs::copy(&file, &copy))
            .map_err(|error| format!("{}: {error}", copy.display()))?;
    }
    Ok(())
}

fn remove(folder: &Path) -> Result<()> {
    match fs::remove_dir_all(folder) {
        Err(error) if error.kind() != std::io::ErrorKind::NotFound => Err(format!("{}: {error}", folder.display())),
        _ => Ok(()),
    }
}

/// One line for each file: bytes, bytes as Brotli, name.
fn report(site: &Path) -> Result<()> {
    let mut files = Vec::new();
    collect(site, &mut files)?;
    files.sort();
    let size = |path: &Path| fs::metadata(path).map(|metadata| metadata.len()).ok();
    println!("{:>9} {:>9}  target/site", "bytes", "brotli");
    for file in files.iter().filter(|file| !file.extension().is_some_and(|it| it == "br" || it == "gz")) {
        let bytes = size(file).unwrap_or_default();
        let packed = beside(file, "br");
        let name = file.strip_prefix(site).unwrap_or(file).display();
        println!("{bytes:>9} {:>9}  {name}", size(Path::new(&packed)).unwrap_or(bytes));
    }
    Ok(())
}

fn run(command: &mut Command) -> Result<()> {
    match command.status() {
        Ok(status) if status.success() => Ok(()),
        Ok(status) => Err(format!("{}: {status}", command.get_program().display())),
        Err(error) => Err(missing(command, &error)),
    }
}

fn output(command: &mut Command) -> Result<String> {
    match command.output() {
        Ok(output) if output.status.success() => Ok(String::from_utf8_lossy(&output.stdout).trim().to_owned()),
        Ok(output) => Err(format!("{}: {}", command.get_program().display(), output.status)),
        Err(error) => Err(missing(command, &error)),
    }
}

fn missing(command: &Command, error: &std::io::Error) -> String {
    format!("{}: {error} (`make` installs it and puts it on the PATH)", command.get_program().display())
}
