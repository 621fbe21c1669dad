-- Asks Vestibule about a request (haproxy.cfg calls it). Only a request that it says yes to gets `txn.vestibule`.

local GATE = "http://127.0.0.1:3004/auth/forward"    -- gate_listen
-- HAProxy asks up to four times, so nobody waits longer than four times this.
local MILLISECONDS = 1500
-- What does not fit into HAProxy's buffer is left out without a word, so more than this is not asked about at all.
local LARGEST = 12000
-- The whole identity, so that a yes overwrites all that a client could send, and the cookies without Vestibule's own. Add the
-- names that `headers` or another `identity` in vestibule.toml gives, here and in haproxy.cfg, where they are deleted.
local GIVEN = {
  "remote-user", "remote-name", "remote-email", "remote-groups", "x-vestibule-assertion", "x-vestibule-truncated", "cookie",
}
-- Of the connection or the body, and so not of the question or the answer.
local HOP = {
  connection = true, ["content-length"] = true, ["keep-alive"] = true, te = true, trailer = true, upgrade = true,
  ["transfer-encoding"] = true, expect = true, host = true,
}

local function each(values, act)
  for i = 0, values and #values or -1 do
    if values[i] then act(values[i]) end
  end
end

local function question(txn)
  local asked, size = {}, 0
  for name, values in pairs(txn.http:req_get_headers()) do
    if not HOP[name] then
      asked[name] = {}
      each(values, function(value)
        table.insert(asked[name], value)
        size = size + #name + #value + 4
      end)
    end
  end
  asked["x-forwarded-method"] = { txn.f:method() }
  asked["x-forwarded-proto"] = { "https" }
  asked["x-forwarded-host"] = { txn.f:req_fhdr("host") }    -- in words: haproxy.cfg has set it
  asked["x-forwarded-uri"] = { txn.f:pathq() }
  return asked, size + #txn.f:pathq()
end

-- Vestibule's own answer, for the browser.
local function answer(txn, got)
  local known = got.status and got.status >= 200
  local reply = txn:reply({ status = known and got.status or 503, body = got.body or "" })
  for name, values in pairs(got.headers or {}) do
    if not HOP[name] then each(values, function(value) reply:add_header(name, value) end) end
  end
  txn:done(reply)
end

core.register_action("vestibule", { "http-req" }, function(txn)
  local asked, size = question(txn)
  if size > LARGEST then return txn:done(txn:reply({ status = 431 })) end
  local got = core.httpclient():get({ url = GATE, headers = asked, timeout = MILLISECONDS })
  if got.status ~= 200 then return answer(txn, got) end

  local given = {}
  for _, name in ipairs(GIVEN) do
    txn.http:req_del_header(name)
    given[name] = got.headers[name] and got.headers[name][0] or ""
    if given[name] ~= "" then txn.http:req_add_header(name, given[name]) end
  end
  local now = txn.http:req_get_headers()
  for name, value in pairs(given) do
    if value ~= "" and not (now[name] and now[name][0] == value) then return end
  end
  txn:set_var("txn.vestibule", "in")
end, 0)
