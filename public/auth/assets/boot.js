// Loads the panel. Constant, so that the content security policy needs neither nonce nor hash.
const { js, wasm, otherwise } = document.querySelector("script[data-wasm]").dataset;
import(js)
  .then((panel) => panel.default({ module_or_path: wasm }))
  // If it cannot be loaded, the page continues as it would without JavaScript; the server sets the pace.
  .catch(() => otherwise && setTimeout(() => location.replace(otherwise), 1000));
