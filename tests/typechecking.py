"""How pytest checks the package's annotations: beartype, with int accepted where float is asked."""

from beartype import BeartypeConf, beartype

checker = beartype(conf=BeartypeConf(is_pep484_tower=True))
