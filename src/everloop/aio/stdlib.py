from asyncio.log import logger
from asyncio.staggered import staggered_race
from asyncio.trsock import TransportSocket
