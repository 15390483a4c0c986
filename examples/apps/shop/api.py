"""The JSON API of Orchard Lane: products, one basket and its voucher, kept in memory."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from apps.server import ApiError, App, Request

# (name, unit, price, organic, hue of the picture)
_PRODUCTS: list[tuple[str, str, float, bool, int]] = [
    ("Braeburn apples", "1 kg bag", 3.2, True, 4),
    ("Rye sourdough", "750 g loaf", 4.1, False, 28),
    ("Oat drink", "1 l carton", 1.9, True, 48),
    ("Acacia honey", "500 g jar", 7.5, True, 40),
    ("Green lentils", "500 g bag", 2.6, True, 96),
    ("Dark chocolate", "100 g bar", 2.8, False, 16),
    ("Peppermint tea", "20 bags", 2.4, True, 140),
    ("Ground coffee", "250 g bag", 6.9, False, 20),
    ("Goat cheese", "200 g piece", 5.4, False, 52),
    ("Cherry tomatoes", "400 g tray", 3.6, True, 0),
    ("Walnut pieces", "200 g bag", 4.8, False, 32),
    ("Elderflower syrup", "500 ml bottle", 5.9, False, 72),
    ("Brown eggs", "box of 10", 4.4, True, 24),
    ("Olive oil", "750 ml bottle", 11.8, True, 64),
]
SORTINGS: dict[str, Callable[[dict[str, Any]], Any]] = {
    "popular": lambda product: product["id"],
    "cheap": lambda product: product["price"],
    "dear": lambda product: -product["price"],
    "name": lambda product: product["name"],
}
VOUCHERS = {"SPRING-15-QK": 15, "TEATIME5": 5}


class ShopApp(App):
    """Orchard Lane with an empty basket."""

    folder = "shop"
    hosts = ("orchard.test",)

    def __init__(self) -> None:
        self.products: list[dict[str, Any]] = [
            {
                "id": number,
                "name": name,
                "unit": unit,
                "price": price,
                "organic": organic,
                "hue": hue,
            }
            for number, (name, unit, price, organic, hue) in enumerate(_PRODUCTS, 1)
        ]
        self.basket: dict[int, int] = {}
        self.favourites: set[int] = set()
        self.ratings: dict[int, int] = {}
        self.voucher: str | None = None

    def routes(self) -> dict[tuple[str, str], Callable[..., Any]]:
        return {
            ("GET", "/api/products"): self._list,
            ("GET", r"/api/products/(\d+)"): lambda number, request: self._shown(
                self._find(number)
            ),
            ("GET", "/api/basket"): lambda request: self._basket(),
            ("POST", "/api/basket"): self._add,
            ("PATCH", r"/api/basket/(\d+)"): self._change,
            ("DELETE", r"/api/basket/(\d+)"): self._remove,
            ("POST", "/api/voucher"): self._redeem,
            ("POST", "/api/favourites"): self._favour,
            ("POST", "/api/ratings"): self._rate,
            ("POST", "/api/orders"): self._order,
        }

    def _find(self, number: str | int) -> dict[str, Any]:
        for product in self.products:
            if product["id"] == int(number):
                return product
        raise ApiError(404, "There is no such product.")

    def _shown(self, product: dict[str, Any]) -> dict[str, Any]:
        number = product["id"]
        mine = {"favourite": number in self.favourites, "stars": self.ratings.get(number, 0)}
        return {**product, **mine}

    def _list(self, request: Request) -> Any:
        query = request.query
        found = [
            product
            for product in self.products
            if query.get("q", "").lower() in product["name"].lower()
            and product["price"] <= float(query.get("max", 99))
            and (product["organic"] or query.get("organic") != "true")
        ]
        found.sort(key=SORTINGS[query.get("sort", "popular")])
        return {"products": [self._shown(product) for product in found]}

    def _basket(self) -> dict[str, Any]:
        lines = [
            {"id": number, "quantity": quantity, **self._find(number)}
            for number, quantity in self.basket.items()
        ]
        total = sum(line["price"] * line["quantity"] for line in lines)
        off = VOUCHERS.get(self.voucher or "", 0)
        return {
            "lines": lines,
            "pieces": sum(self.basket.values()),
            "voucher": self.voucher,
            "total": round(total * (100 - off) / 100, 2),
        }

    def _add(self, request: Request) -> Any:
        number = self._find(request.body["id"])["id"]
        self.basket[number] = self.basket.get(number, 0) + request.body["quantity"]
        return self._basket()

    def _change(self, number: str, request: Request) -> Any:
        self.basket[int(number)] = request.body["quantity"]
        return self._basket()

    def _remove(self, number: str, request: Request) -> Any:
        self.basket.pop(int(number), None)
        return self._basket()

    def _redeem(self, request: Request) -> Any:
        if request.body["code"] not in VOUCHERS:
            raise ApiError(422, "This voucher is not known.")
        self.voucher = request.body["code"]
        return self._basket()

    def _favour(self, request: Request) -> Any:
        self.favourites.add(request.body["id"])
        return {"favourites": sorted(self.favourites)}

    def _rate(self, request: Request) -> Any:
        self.ratings[request.body["id"]] = request.body["stars"]
        return {"stars": request.body["stars"]}

    def _order(self, request: Request) -> Any:
        if not self.basket:
            raise ApiError(422, "The basket is empty.")
        total = self._basket()["total"]
        self.basket.clear()
        return {"order": "OL-20931", "total": total, "slot": request.body.get("delivery_slot")}
