{{ shop_campaign('tiktok') }}
