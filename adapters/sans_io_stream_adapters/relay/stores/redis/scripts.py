"""What happens inside Redis: the names of the keys, and the scripts that change several at once.

Under the prefix (``P``) there are, for each stream, ``stream:ID`` (a Redis Stream) and
``about:ID`` (what is known of it). The ids of a Redis Stream are ``EPOCH-NUMBER``: the epoch of
who wrote it, and the number of the last entry in it. Redis itself takes no id that is not above
all before, so that nothing comes from an older epoch once a newer one has begun. A new epoch
begins with a mark, ``EPOCH-LAST``, which is no entry: ``LAST`` is the last number of before, and
stays known where all is trimmed. ``about:ID`` holds it as ``bEPOCH``: an entry stands in the
newest epoch whose ``b`` is below its number.

For each worker there are ``worker:W``, its lease, which Redis drops on its own clock;
``written:W``, the streams without an end that it writes; and ``inbox:W``. ``nobody`` is a worker
that never has a lease. For all there are ``workers``, ``ended``, ``count``; for each owner
``running:O`` and ``spent:O``, for each idempotency key ``key:O:K``.

A script is one change: all of it is made, in memory and in what Redis writes on its disk or
sends its replicas, or none. Whether a full Redis takes it hangs on its first write alone: what
adds entries begins with XADD, which is refused then; what makes room, or renews a lease, begins
with something that never is. Scripts make names of keys, which Redis Cluster does not allow.
"""

from __future__ import annotations

from hashlib import sha1

__all__ = [
    "CREATE", "DELETE", "FIND_KEY", "FOLLOW", "LEAVE", "LOOK", "ORPHANS", "READ", "RELEASE",
    "RENEW", "SEAL", "SPEND", "TAKE", "TELL", "TRIM", "Script",
]  # fmt: skip

COMMON = """
local P, me, lease = ARGV[1], ARGV[2], tonumber(ARGV[3])
local call = redis.call
local function about(id) return P .. 'about:' .. id end
local function stream(id) return P .. 'stream:' .. id end
local function living(worker) return call('EXISTS', P .. 'worker:' .. worker) == 1 end
local function live()
  call('PEXPIRE', P .. 'worker:' .. me, lease)
  call('SET', P .. 'worker:' .. me, '1', 'PX', lease)
  call('SADD', P .. 'workers', me)
end
local function hear(worker, id, word)
  local inbox = P .. 'inbox:' .. worker
  call('XADD', inbox, 'MAXLEN', '~', '10000', '*', id, word)
  call('PEXPIRE', inbox, lease * 10)
end
local function newest(id)
  local info = redis.pcall('XINFO', 'STREAM', stream(id))
  for n = 1, #info, 2 do
    if info[n] == 'last-generated-id' then return info[n + 1] end
  end
end
local function number_of(place) return string.match(place, '%-(%d+)$') end
local function epoch_of(id, number)
  local epoch = tonumber(call('HGET', about(id), 'epoch') or nil)
  while epoch and epoch > 1 and number <= tonumber(call('HGET', about(id), 'b' .. epoch)) do
    epoch = epoch - 1
  end
  return epoch
end
local function whole(number) return string.format('%.0f', number) end
local function move(id, from, to)
  call('ZREM', P .. 'written:' .. from, id)
  call('ZADD', P .. 'written:' .. to, call('HGET', about(id), 'count'), id)
  call('HSET', about(id), 'worker', to)
end
"""


class Script:
    """A script, known by its digest. Its arguments stand behind the prefix, the worker's id and
    its lease in milliseconds."""

    def __init__(self, body: str) -> None:
        self.source = (COMMON + body).encode()
        self.digest = sha1(self.source, usedforsecurity=False).hexdigest().encode()


CREATE = Script("""
local id, meta, owner, key, most, again = unpack(ARGV, 4)
local h = about(id)
if call('EXISTS', h) == 1 then
  if again == '1' and call('HGET', h, 'worker') == me and call('HGET', h, 'meta') == meta then
    return {'made'}
  end
  return {'there'}
end
if key ~= '' then
  local other = call('GET', P .. 'key:' .. key)
  local taken = other and call('HGET', about(other), 'meta')
  if taken then return {'taken', taken} end
end
if most ~= '' and call('SCARD', P .. 'running:' .. owner) >= tonumber(most) then
  return {'many'}
end
call('XADD', stream(id), '1-0', 'w', me)
live()
local count = call('INCR', P .. 'count')
call('HSET', h, 'meta', meta, 'owner', owner, 'key', key, 'worker', me, 'count', count,
  'epoch', '1', 'b1', '0', 'first', '1')
if key ~= '' then call('SET', P .. 'key:' .. key, id) end
call('SADD', P .. 'running:' .. owner, id)
call('ZADD', P .. 'written:' .. me, count, id)
return {'made'}
""")
"""id, meta, owner, key, most, again. Says "made", "there", "many", or "taken" with the other
stream's meta."""

FIND_KEY = Script("""
local id = call('GET', P .. 'key:' .. ARGV[4])
return id and call('HGET', about(id), 'meta')
""")
"""key. The meta of its stream."""

SEAL = Script("""
local id, place, value, number, at, expire = unpack(ARGV, 4)
local added = redis.pcall('XADD', stream(id), 'NOMKSTREAM', place, 'e', value)
if type(added) ~= 'string' then return added end
local h = about(id)
local owner, key, worker = unpack(call('HMGET', h, 'owner', 'key', 'worker'))
call('HSET', h, 'sealed', number)
call('ZADD', P .. 'ended', at, id)
call('SREM', P .. 'running:' .. owner, id)
call('ZREM', P .. 'written:' .. worker, id)
if expire ~= '' then
  for _, one in ipairs({h, stream(id), P .. 'key:' .. key, P .. 'ended'}) do
    call('PEXPIRE', one, expire)
  end
end
return added
""")
"""id, place, value, number, at, milliseconds until all of it expires. As XADD."""

LOOK = Script("""
local id = ARGV[4]
local worker, sealed = unpack(call('HMGET', about(id), 'worker', 'sealed'))
local last = call('XREVRANGE', stream(id), '+', '-', 'COUNT', '1')
return {newest(id) or '', worker or '', sealed or '', last}
""")
"""id. The newest place that was ever there, whose stream it is, the number of the end, and what
stands at the end."""

READ = Script("""
local id, number, most = ARGV[4], tonumber(ARGV[5]), tonumber(ARGV[6])
local first = tonumber(call('HGET', about(id), 'first') or nil)
if not first then return {} end
number = math.max(number, first)
local found, have, from = {}, 0, epoch_of(id, number) .. '-' .. whole(number)
local size, large = 0, tonumber(ARGV[7])
while have < most and size < large do
  local wanted = math.min(most - have, 32)
  local some = call('XRANGE', stream(id), from, '+', 'COUNT', wanted)
  for _, one in ipairs(some) do
    found[#found + 1] = one
    size = size + #(one[2][2] or '')
    if size >= large then break end
  end
  if #some < wanted and size < large then break end
  have = tonumber(number_of(found[#found][1])) - number + 1
  from = '(' .. found[#found][1]
end
return {whole(number), newest(id) or '', found, size >= large and 1 or 0}
""")
"""id, number, most, bytes behind which no more is read. The number that is first, the newest
place, what is there, and whether it is so large that not all of it is."""

TRIM = Script("""
local id, first = ARGV[4], tonumber(ARGV[5])
local place = newest(id)
local before = tonumber(call('HGET', about(id), 'first') or nil)
if not place or not before or first <= before then return end
first = math.min(first, number_of(place) + 1)
call('XTRIM', stream(id), 'MINID', '=', epoch_of(id, first) .. '-' .. whole(first))
call('HSET', about(id), 'first', whole(first))
""")
"""id, first."""

DELETE = Script("""
local id = ARGV[4]
local owner, key, worker = unpack(call('HMGET', about(id), 'owner', 'key', 'worker'))
if owner then
  call('SREM', P .. 'running:' .. owner, id)
  call('ZREM', P .. 'written:' .. worker, id)
  if call('GET', P .. 'key:' .. key) == id then call('DEL', P .. 'key:' .. key) end
end
call('ZREM', P .. 'ended', id)
call('UNLINK', about(id), stream(id))
""")
"""id."""

ORPHANS = Script("""
local found = {}
for _, worker in ipairs(call('SMEMBERS', P .. 'workers')) do
  if worker ~= me and not living(worker) then
    local some = call('ZRANGE', P .. 'written:' .. worker, '0', '-1', 'WITHSCORES')
    if #some == 0 then call('SREM', P .. 'workers', worker) end
    for _, one in ipairs(some) do found[#found + 1] = one end
  end
end
return found
""")
"""Nothing. Ids and their places in the order of creation, one after the other."""

TAKE = Script("""
local id, again = ARGV[4], ARGV[5]
local h = about(id)
local epoch, worker, sealed, ends = unpack(call('HMGET', h, 'epoch', 'worker', 'sealed', 'end'))
local last = newest(id)
if not epoch or sealed or not last then return {} end
last = number_of(last)
if worker ~= me and not living(worker) then
  epoch = whole(epoch + 1)
  call('XADD', stream(id), epoch .. '-' .. last, 'w', me)
  live()
  call('HSET', h, 'epoch', epoch, 'b' .. epoch, last)
  move(id, worker, me)
elseif worker ~= me or again ~= '1' then
  return {}
end
if ends then hear(me, id, 'end') end
return {epoch, last}
""")
"""id, again. The epoch that begins, and the last number of before; nothing where it is not to be
had."""

FOLLOW = Script("""
local id, after = ARGV[4], ARGV[5]
return (epoch_of(id, tonumber(after) + 1) or '0') .. '-' .. after
""")
"""id, number. The place behind which entries with higher numbers are."""

TELL = Script("""
local id, word = ARGV[4], ARGV[5]
local worker, sealed = unpack(call('HMGET', about(id), 'worker', 'sealed'))
if not worker or sealed then return end
if word == 'end' then call('HSET', about(id), 'end', '1') end
if worker ~= 'nobody' then hear(worker, id, word) end
""")
"""id, word."""

SPEND = Script("""
local owner, period, tokens, nanodollars, once = unpack(ARGV, 4)
local h = P .. 'spent:' .. owner
local function add(name, more)
  if type(redis.pcall('HINCRBY', h, name, more)) == 'table' then
    call('HSET', h, name, '9223372036854775807')
  end
end
if call('SET', P .. 'once:' .. once, '1', 'NX', 'PX', lease * 4) then
  add(period .. ':t', tokens)
  add(period .. ':n', nanodollars)
  local names = call('HLEN', h) > 32 and call('HKEYS', h) or {}
  table.sort(names)
  for n = 1, #names - 16 do
    if string.sub(names[n], 1, -3) ~= period then call('HDEL', h, names[n]) end
  end
end
return call('HMGET', h, period .. ':t', period .. ':n')
""")
"""owner, period, tokens, nanodollars, a word that no other call has. Both sums, as texts: they
are too large for a number in Lua. One that Redis cannot hold is the largest that it can. The
oldest of more than 16 periods are dropped."""

RENEW = Script("""
live()
call('PEXPIRE', P .. 'inbox:' .. me, lease * 10)
""")
"""Nothing."""

RELEASE = Script("""
for n = 4, #ARGV do
  local worker, sealed = unpack(call('HMGET', about(ARGV[n]), 'worker', 'sealed'))
  if worker == me and not sealed then
    move(ARGV[n], me, 'nobody')
    call('SADD', P .. 'workers', 'nobody')
  end
end
""")
"""Ids of streams that this worker does not know that it has: anybody may take them."""

LEAVE = Script("""
call('DEL', P .. 'worker:' .. me, P .. 'inbox:' .. me)
if call('ZCARD', P .. 'written:' .. me) == 0 then call('SREM', P .. 'workers', me) end
""")
"""Nothing. The worker gives its lease up."""
