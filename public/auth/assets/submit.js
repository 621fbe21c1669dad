// Sends the page's one form, which a person can send by its button, too. Constant, as boot.js is.
document.querySelector("form").submit();
