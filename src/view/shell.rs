//! What every page has around it.

use leptos::prelude::*;

use super::{Lang, display::own_path};

/// Where the static files are, as the server found them.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AssetUrls {
    /// The one style sheet.
    pub stylesheet: String,
    /// The mark, in SVG: icon of the tab and ornament of the page.
    pub favicon: String,
    /// What makes a page go on by itself.
    pub again: String,
    /// The constant loader: the content security policy allows no inline script.
    pub boot: String,
    /// The wasm's glue.
    pub script: String,
    /// The wasm.
    pub wasm: String,
}

/// What every page needs to know.
#[derive(Clone, Copy, Debug)]
pub struct Shell<'a> {
    /// The language to speak.
    pub lang: Lang,
    /// The static files to link.
    pub assets: &'a AssetUrls,
}

/// What a page loads besides its style.
pub(super) enum Script<'a> {
    /// None: most pages.
    None,
    /// The panel comes alive; where it cannot (wasm is forbidden, a file is missing), the loader goes to this path.
    Panel { otherwise: Option<&'a str> },
}

/// When a page asks for itself, or another, again.
pub(super) enum Refresh<'a> {
    Never,
    /// After so many seconds. Without script it is loaded anew in any case; with it, one that only looks again is left
    /// alone until something has changed.
    After(u32, Option<&'a str>),
    /// At once.
    AtOnce(&'a str),
    /// At once, but only where no script runs.
    WithoutScript(&'a str),
}

impl Shell<'_> {
    /// The whole document: `<head>`, the doorway, and in it `content`.
    pub(super) fn document<V: IntoView>(
        &self,
        title: &str,
        refresh: &Refresh<'_>,
        script: &Script<'_>,
        content: impl FnOnce() -> V,
    ) -> String {
        let assets = self.assets;
        let (when, again) = match refresh {
            Refresh::Never => (None, None),
            Refresh::After(seconds, path) => {
                let path = path.map(|path| own_path(path).to_owned());
                let url = path.as_ref().map(|path| format!(";url={path}")).unwrap_or_default();
                let again = view! {
                    <script
                        r#type="module"
                        src=assets.again.clone()
                        data-seconds=seconds.to_string()
                        data-path=path
                    ></script>
                };
                (Some(format!("{seconds}{url}")), Some(again))
            }
            Refresh::AtOnce(path) | Refresh::WithoutScript(path) => (Some(format!("0;url={}", own_path(path))), None),
        };
        let refresh = when.map(|when| {
            let meta = view! { <meta http-equiv="refresh" content=when /> };
            if matches!(refresh, Refresh::AtOnce(_)) {
                meta.into_any()
            } else {
                view! { <noscript>{meta}</noscript> }.into_any()
            }
        });
        let script = match script {
            Script::None => None,
            Script::Panel { otherwise } => Some(view! {
                <link rel="modulepreload" href=assets.script.clone() />
                <link
                    rel="preload"
                    r#as="fetch"
                    r#type="application/wasm"
                    crossorigin="anonymous"
                    href=assets.wasm.clone()
                />
                <script
                    r#type="module"
                    src=assets.boot.clone()
                    data-js=assets.script.clone()
                    data-wasm=assets.wasm.clone()
                    data-otherwise=otherwise.map(|path| own_path(path).to_owned())
                ></script>
            }),
        };
        let title = title.to_owned();
        Owner::new_root(None).with(|| {
            view! {
                <!DOCTYPE html>
                <html lang=self.lang.tag()>
                    <head>
                        <meta charset="utf-8" />
                        <title>{title}</title>
                        <meta name="viewport" content="width=device-width, initial-scale=1" />
                        <meta name="color-scheme" content="light dark" />
                        <meta name="robots" content="noindex" />
                        {refresh}
                        <link rel="icon" r#type="image/svg+xml" href=assets.favicon.clone() />
                        <link rel="stylesheet" href=assets.stylesheet.clone() />
                        {again}
                        {script}
                    </head>
                    <body>
                        <main>
                            <img class="mark" src=assets.favicon.clone() alt="" width="48" height="48" />
                            {content()}
                        </main>
                    </body>
                </html>
            }
            .to_html()
        })
    }
}
