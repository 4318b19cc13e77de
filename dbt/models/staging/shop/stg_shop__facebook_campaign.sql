{{ shop_campaign('facebook') }}
