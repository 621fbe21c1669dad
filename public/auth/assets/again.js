// A page that goes on by itself: to `path`, or, where it only looks again, to itself once the server shows another one.
// Nobody is torn out of reading a page that has not changed. Constant, as boot.js is.
const { seconds, path } = document.querySelector("script[data-seconds]").dataset;
const content = (page) => page.querySelector("main").innerHTML;
const look = async () => {
  if (document.hidden) return;
  const answer = await fetch(location.href);
  if (!answer.ok) return;
  const now = new DOMParser().parseFromString(await answer.text(), "text/html");
  if (content(now) !== content(document)) location.reload();
};
setInterval(() => (path ? location.replace(path) : look().catch(() => {})), seconds * 1000);
