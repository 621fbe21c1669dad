"""The rows of the table, by what they are about."""

from rows import addresses, away, hosts, identity, ordinary, paths, silent

# Played one by one, while all is in order.
ORDINARY = [ordinary.GROUP, identity.GROUP, addresses.GROUP, hosts.GROUP, paths.GROUP, ordinary.LAST]
# Played with another gate, and an application as Vestibule's public address.
SILENT = [silent.GROUP, silent.PUBLIC]
# Played for all proxies at once, since they share what hangs.
AWAY = [away.HANGING, away.SLOW, away.NO_DATABASE, away.GONE]
